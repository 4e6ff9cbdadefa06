// SPDX-License-Identifier: Apache-2.0

import {
  ENVIRONMENT_VARIABLES,
  type Environment,
  type EnvironmentVariable,
  environmentSchema,
} from './environment.js';

const RENAMED = ENVIRONMENT_VARIABLES.flatMap(({ name, formerName }) =>
  formerName ? [{ name, formerName }] : [],
);

/** One sentence for each deprecated variable that is set. Empty variables count as not set. */
export function deprecationWarnings(env: NodeJS.ProcessEnv): string[] {
  return RENAMED.filter(({ formerName }) => env[formerName]?.trim()).map(({ name, formerName }) =>
    env[name]?.trim()
      ? `${formerName} is ignored because ${name} is set: remove ${formerName}, its deprecated name.`
      : `${formerName} is deprecated: use ${name} instead.`,
  );
}

/** Adds a default for each variable that is not set, also not by its deprecated name. */
export function withDefaults(
  env: NodeJS.ProcessEnv,
  defaults: Partial<Record<keyof Environment, string>>,
): NodeJS.ProcessEnv {
  const isSet = (name: string) =>
    [name, RENAMED.find((renamed) => renamed.name === name)?.formerName].some(
      (either) => either && env[either]?.trim(),
    );
  return {
    ...env,
    ...Object.fromEntries(Object.entries(defaults).filter(([name]) => !isSet(name))),
  };
}

/** Parses the variables; otherwise returns one sentence for each that is missing or invalid. */
export function parseEnvironment(
  env: NodeJS.ProcessEnv,
): { values: Environment } | { problems: string[] } {
  // Many tools write an empty variable for "not set".
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
  const formerly = new Map<string, string>();
  for (const { name, formerName } of RENAMED) {
    if (given[name] !== undefined || given[formerName] === undefined) continue;
    given[name] = given[formerName];
    formerly.set(name, formerName);
  }
  const parsed = environmentSchema.safeParse(given);
  if (parsed.success) return { values: parsed.data };
  const invalid = new Set(parsed.error.issues.map((issue) => String(issue.path[0])));
  const problem = (variable: EnvironmentVariable) =>
    describeProblem(variable, given[variable.name], formerly.get(variable.name));
  return { problems: ENVIRONMENT_VARIABLES.filter(({ name }) => invalid.has(name)).map(problem) };
}

function describeProblem(
  { name, allowed }: EnvironmentVariable,
  value: string | undefined,
  formerName?: string,
): string {
  if (value === undefined) return `${name} is not set: set it to ${allowed}.`;
  // The value of a secret must not reach a log.
  const shown = name.includes('SECRET') || name.includes('KEY') ? 'its value' : `"${value}"`;
  const subject = formerName ? `${formerName} (now ${name})` : name;
  return `${subject} cannot be ${shown}: set it to ${allowed}.`;
}
