// SPDX-License-Identifier: Apache-2.0

import { templateWith } from './synth.js';

type Values = Readonly<Record<string, string | number>>;

/** What CloudFormation has after a deployment, by logical ID and property. */
export type Deployed = Record<string, Record<string, unknown>>;

const REMOVED = Symbol('AWS::NoValue');

/** Deploys a stack over and over, as `cdk deploy` does: parameters keep their values until they are given again. */
export class Deployments {
  private values: Values = {};

  /** @returns what changed since the deployment before: properties, and whole resources with + and - */
  deploy(settings: Record<string, unknown>, parameters: Values = {}): string[] {
    const template = templateWith(settings).toJSON() as CfnTemplate;
    const declared = template.Parameters;
    for (const [name, value] of Object.entries(parameters)) {
      const { AllowedPattern } = declared[name] ?? {};
      if (!declared[name]) throw new Error(`There is no parameter ${name}.`);
      if (AllowedPattern && !new RegExp(AllowedPattern).test(String(value)))
        throw new Error(`${name} does not match ${AllowedPattern}.`);
    }
    const defaults = Object.fromEntries(
      Object.entries(declared).map(([name, { Default }]) => [name, Default ?? '']),
    );
    this.values = { ...defaults, ...this.values, ...parameters };
    const before = this.deployed;
    this.deployed = resolveTemplate(template, this.values);
    return before ? changesBetween(before, this.deployed) : [];
  }

  deployed: Deployed | undefined;
}

interface CfnTemplate {
  readonly Parameters: Record<string, { Default?: string | number; AllowedPattern?: string }>;
  readonly Resources: Record<string, { Properties?: Record<string, unknown> }>;
  readonly Conditions?: Record<string, unknown>;
}

/** Parameters and conditions replaced by what they are for these values; references to resources stay. */
function resolveTemplate({ Resources, Conditions = {} }: CfnTemplate, values: Values): Deployed {
  const holds = (condition: unknown): boolean => {
    const expression = condition as Record<string, unknown[]>;
    if (expression['Fn::Not']) return !holds(expression['Fn::Not'][0]);
    const [a, b] = (expression['Fn::Equals'] ?? []).map(resolve);
    return a === b;
  };
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve).filter((item) => item !== REMOVED);
    if (!value || typeof value !== 'object') return value;
    const expression = value as Record<string, unknown>;
    if (expression.Ref === 'AWS::NoValue') return REMOVED;
    if (typeof expression.Ref === 'string' && expression.Ref in values)
      return values[expression.Ref];
    if (expression['Fn::If']) {
      const [name, yes, no] = expression['Fn::If'] as [string, unknown, unknown];
      return resolve(holds(Conditions[name]) ? yes : no);
    }
    if (expression['Fn::Join']) {
      const [delimiter, parts] = expression['Fn::Join'] as [string, unknown[]];
      const resolved = parts.map(resolve);
      return resolved.every((part) => typeof part === 'string')
        ? resolved.join(delimiter)
        : { 'Fn::Join': [delimiter, resolved] };
    }
    return Object.fromEntries(
      Object.entries(expression)
        .map(([key, item]) => [key, resolve(item)])
        .filter(([, item]) => item !== REMOVED),
    );
  };
  return Object.fromEntries(
    Object.entries(Resources).map(([id, { Properties = {} }]) => [
      id.replace(/[0-9A-F]{8}$/, ''),
      resolve(Properties) as Record<string, unknown>,
    ]),
  );
}

function changesBetween(before: Deployed, after: Deployed): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().flatMap((id) => {
    const [a, b] = [before[id], after[id]];
    if (!a || !b) return [`${a ? '-' : '+'}${id}`];
    return [...new Set([...Object.keys(a), ...Object.keys(b)])]
      .filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))
      .map((key) => `${id}.${key}`);
  });
}
