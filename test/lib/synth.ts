// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, jest } from '@jest/globals';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { App, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { readSettings } from '../../lib/settings/read-settings.js';
import { VoiceAgentStack } from '../../lib/voice-agent-stack.js';

/** The feature flags of cdk.json, without its settings. */
const flags = Object.fromEntries(
  Object.entries(
    JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')).context,
  ).filter(([name]) => name.startsWith('@')),
);

// The CDK leaves what it synthesises, assets too, in the folder for temporary files.
const folder = mkdtempSync(join(tmpdir(), 'synth-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Where an app of a test writes; gone after the test file. */
const outdir = () => mkdtempSync(join(folder, 'app-'));

/** Turns off copies of the assets and traces of where each construct was made. */
export const FAST_CONTEXT = {
  'aws:cdk:disable-asset-staging': true,
  'aws:cdk:disable-stack-trace': true,
  'aws:cdk:disable-creation-stack-traces': true,
};

/** An app without the feature flags of our cdk.json, as somebody else's may be, and without what takes most of a synth's time. */
export const foreignApp = (context: Record<string, unknown> = {}) =>
  new App({
    context: { ...FAST_CONTEXT, ...context },
    outdir: outdir(),
    // .ci/cfn-lint runs it, on every template.
    builtinCloudFormationValidation: false,
    treeMetadata: false,
  });

/** An app as `cdk synth` makes it, with these settings. */
export const newApp = (settings: Record<string, unknown> = {}) =>
  foreignApp({ ...flags, ...settings });

/** A project with as little as an image needs: reading and hashing ours takes half of a synth. */
export const PROJECT = join(folder, 'project');
for (const [path, content] of Object.entries({
  'agent/Dockerfile': 'FROM scratch',
  'agent/package.json': '{}',
  'packages/livekit-plugin-nova-sonic/package.json': '{}',
  'package.json': '{ "name": "project", "type": "module", "devDependencies": {} }',
  'package-lock.json': '{ "packages": {} }',
  'tsconfig.json': '{}',
})) {
  mkdirSync(join(PROJECT, path, '..'), { recursive: true });
  writeFileSync(join(PROJECT, path), content);
}

const made = new Map<string, VoiceAgentStack>();

/** The whole stack with these settings; the same ones are synthesised once a test file. */
export function stackWith(context: Record<string, unknown> = {}): VoiceAgentStack {
  const key = JSON.stringify(context);
  const stack =
    made.get(key) ??
    new VoiceAgentStack(newApp(), 'voice-agent', {
      settings: readSettings(context),
      projectRoot: PROJECT,
    });
  made.set(key, stack);
  return stack;
}

const templates = new Map<Stack, Template>();

/** The template of the whole stack with these settings. */
export function templateWith(context: Record<string, unknown> = {}): Template {
  return templateOf(stackWith(context));
}

export function templateOf(stack: Stack): Template {
  const template = templates.get(stack) ?? quietly(() => Template.fromStack(stack));
  templates.set(stack, template);
  return template;
}

export const annotationsOf = (stack: Stack): Annotations =>
  quietly(() => Annotations.fromStack(stack));

/** The CDK prints each warning when it synthesises; those that matter are tested by themselves. */
export function quietly<T>(synthesise: () => T): T {
  const error = jest.spyOn(console, 'error').mockImplementation(() => {});
  try {
    return synthesise();
  } finally {
    error.mockRestore();
  }
}

/** A stack of somebody else's, with what `build` puts into it. */
export function stackOf(build: (scope: Construct) => void): Stack {
  const stack = new Stack(newApp(), 'elsewhere');
  build(stack);
  return stack;
}

interface Resource {
  Type: string;
  Properties: Record<string, unknown>;
  [attribute: string]: unknown;
}

/** All resources of a type, by their logical IDs. */
export function resources(template: Template, type: string): [id: string, resource: Resource][] {
  return Object.entries(template.findResources(type)) as [string, Resource][];
}

/** The properties of the one resource of a type. */
// biome-ignore lint/suspicious/noExplicitAny: templates have no types
export function only(template: Template, type: string): any {
  const found = resources(template, type);
  if (found.length !== 1) throw new Error(`${found.length} resources of type ${type}`);
  return found[0]?.[1].Properties;
}

// biome-ignore lint/suspicious/noExplicitAny: templates have no types
export function container(template: Template): any {
  return only(template, 'AWS::ECS::TaskDefinition').ContainerDefinitions[0];
}

/** The container's environment as one object. */
export function environmentOf(template: Template): Record<string, unknown> {
  const variables = container(template).Environment as { Name: string; Value: unknown }[];
  return Object.fromEntries(variables.map(({ Name, Value }) => [Name, Value]));
}

export interface Statement {
  Effect: string;
  Action: string[];
  Resource: unknown[];
  Principal?: unknown;
  Condition?: unknown;
}

const asList = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

/** Every statement of every policy in the template, with lists where IAM allows a single value. */
export function statements(template: Template): (Statement & { owner: string })[] {
  const found: (Statement & { owner: string })[] = [];
  const visit = (owner: string, value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(owner, item);
    } else if (value && typeof value === 'object') {
      const record = value as Record<string, unknown>;
      if (record.Effect && record.Action) {
        found.push({
          ...(record as unknown as Statement),
          owner,
          Action: asList(record.Action as string | string[]),
          Resource: asList(record.Resource),
        });
      } else {
        for (const item of Object.values(record)) visit(owner, item);
      }
    }
  };
  for (const [id, resource] of Object.entries(template.toJSON().Resources)) visit(id, resource);
  return found;
}

/** A CloudFormation expression on one line: `arn:<AWS::Partition>:…`. */
export function flat(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  const expression = value as Record<string, unknown>;
  // Without a parameter's value: what holds by default.
  if (expression['Fn::If']) return flat((expression['Fn::If'] as unknown[])[2]);
  if (expression.Ref) return `<${expression.Ref}>`;
  if (expression['Fn::GetAtt']) return `<${(expression['Fn::GetAtt'] as string[]).join('.')}>`;
  if (expression['Fn::Join']) {
    const [delimiter, parts] = expression['Fn::Join'] as [string, unknown[]];
    return parts.map(flat).join(delimiter);
  }
  return JSON.stringify(value);
}

export { Match };
