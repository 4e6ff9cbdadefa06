// SPDX-License-Identifier: Apache-2.0

// What a check is: its result, what it may ask, and how it says what is wrong.

import { mostTasks } from '../../lib/service-limits.js';
import type { Settings } from '../../lib/settings/settings.js';

/** What a check found. */
export interface CheckResult {
  readonly check: string;
  /** `unknown`: it could not be looked up, which does not stop a deployment. */
  readonly state: 'ok' | 'failed' | 'unknown';
  /** One sentence: what is there, or what is wrong and what to do. */
  readonly sentence: string;
}

/** What the checks need from the outside; tests pass stand-ins. */
export interface Outside {
  /** Runs `aws` with the operator's credentials. @throws AwsError when the command fails */
  aws(args: readonly string[]): Promise<unknown>;
  /** Platforms that Docker builds for, such as linux/arm64. @throws when Docker does not run */
  dockerPlatforms(): Promise<readonly string[]>;
  /** Asks the LiveKit server something with these keys. @throws when it does not answer or refuses them */
  livekit(url: string, apiKey: string, apiSecret: string): Promise<void>;
}

/** A failed `aws` command: the name of the error as AWS has it, like ResourceNotFoundException. */
export class AwsError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Looks one thing up. @returns what is there, in one sentence  @throws CheckFailed, CheckUnknown */
export type Check = (settings: Settings, outside: Outside) => Promise<string>;

/** A problem, in one sentence. */
export class CheckFailed extends Error {}
/** Something that could not be looked up, in one sentence. */
export class CheckUnknown extends Error {}

export const failCheck = (sentence: string): never => {
  throw new CheckFailed(sentence);
};

/** Turns the error of AWS into one sentence about what was asked. */
export async function ask<T>(
  outside: Outside,
  args: readonly string[],
  sentences: Record<string, string>,
): Promise<T> {
  try {
    return (await outside.aws(args)) as T;
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    const known = sentences[error.code];
    if (known) throw new CheckFailed(known);
    if (/AccessDenied/.test(error.code))
      throw new CheckUnknown(
        `Your credentials may not run \`aws ${args.slice(0, 2).join(' ')}\`: allow it, or check this by hand.`,
      );
    throw error;
  }
}

/** The most tasks that the service may have, and what to lower for fewer. */
export function taskLimit(settings: Settings): { tasks: number; name: string } {
  const { tasks, setting } = mostTasks(settings);
  return { tasks, name: setting === 'maxTasks' ? 'MaxTasks' : '"schedules"' };
}

export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
