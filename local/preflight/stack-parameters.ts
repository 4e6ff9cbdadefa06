// SPDX-License-Identifier: Apache-2.0

import type { Settings } from '../../lib/settings/settings.js';
import type { Outside } from './check.js';

interface StackParameter {
  readonly ParameterKey: string;
  readonly ParameterValue: string;
}

/** The settings with the values that the parameters of a deployed stack have, which the next deployment keeps. */
export async function withParameters(
  settings: Settings,
  outside: Outside,
  given: ReadonlySet<string>,
): Promise<Settings> {
  let parameters: StackParameter[];
  try {
    const answer = await outside.aws([
      ...['cloudformation', 'describe-stacks', '--stack-name', settings.name],
    ]);
    parameters =
      (answer as { Stacks: { Parameters?: StackParameter[] }[] }).Stacks[0]?.Parameters ?? [];
  } catch {
    // Before the first deployment there is none; other reasons show in the checks.
    return settings;
  }
  const value = (key: string) =>
    parameters.find(({ ParameterKey }) => ParameterKey === key)?.ParameterValue;
  const number = (name: 'maxTasks' | 'callsPerTask', key: string) =>
    given.has(name) ? settings[name] : Number(value(key) ?? settings[name]);
  return {
    ...settings,
    maxTasks: number('maxTasks', 'MaxTasks'),
    callsPerTask: number('callsPerTask', 'CallsPerTask'),
    ...(!given.has('liveKitSecret') && {
      liveKitSecret: value('LiveKitSecretArn') || settings.liveKitSecret,
    }),
  };
}
