// SPDX-License-Identifier: Apache-2.0

import { NOVA_SONIC_MODEL_DETAILS } from 'livekit-plugin-nova-sonic/models';
import { NOVA_SONIC_ERROR_KINDS } from '../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';
import {
  EVIDENCE,
  isRefused,
  PROTOCOL_RULES,
  protocolRule,
  type RuleName,
} from '../../packages/nova-sonic-emulator/src/protocol/rules.js';
import type { Tables } from './fill.js';
import { interfaceFields } from './interface-fields.js';
import { capitalized, cell, code, table } from './markdown.js';

const PLUGIN_OPTIONS = 'livekit-plugin-nova-sonic/src/options.ts';
const SESSION_EVENTS = new URL(
  '../../packages/livekit-plugin-nova-sonic/src/session-events.ts',
  import.meta.url,
);

function models(): string {
  return table(
    ['model', 'ID', 'Regions', 'voices (languages)', 'end of life'],
    Object.entries(NOVA_SONIC_MODEL_DETAILS).map(([id, { name, regions, voices, endOfLife }]) => [
      name,
      code(id),
      regions.join(', '),
      Object.entries(voices)
        .map(([voice, languages]) => `${voice} (${languages})`)
        .join(', '),
      endOfLife ?? '',
    ]),
  );
}

const options = (path: string, name: string) => () =>
  table(
    ['option', 'type', 'default', 'meaning'],
    interfaceFields(new URL(`../../packages/${path}`, import.meta.url), name).map((field) => [
      code(field.name),
      code(field.type),
      field.default,
      cell(field.description),
    ]),
  );

function errorKinds(): string {
  return table(
    ['kind', 'meaning', 'retry', 'action'],
    Object.entries(NOVA_SONIC_ERROR_KINDS).map(([kind, { meaning, retry, action }]) => [
      code(kind),
      cell(meaning),
      cell(retry),
      cell(action),
    ]),
  );
}

function emulatorRules(): string {
  const names = Object.keys(PROTOCOL_RULES) as RuleName[];
  const answer = (name: RuleName) => {
    if (isRefused(name, false)) return 'refused';
    return isRefused(name, true) ? 'warning' : 'accepted, with a warning';
  };
  return table(
    ['rule', 'a client must', 'by default', 'evidence', 'source'],
    names.map((name) => {
      const { rule, evidence, source } = protocolRule(name);
      return [code(name), rule, answer(name), evidence, source];
    }),
  );
}

function emulatorEvidence(): string {
  return table(
    ['evidence', 'meaning'],
    Object.entries(EVIDENCE).map(([name, meaning]) => [name, capitalized(meaning)]),
  );
}

/** The events of a session that carry an interface of the plugin's. */
const EVENTS: ReadonlyArray<readonly [events: string, ...interfaces: string[]]> = [
  ['`stream_lifecycle`', 'StreamLifecycle'],
  ['`turn_timing`', 'TurnTiming'],
  ['`barge_in`', 'BargeIn'],
  ['`tool_call_started`', 'ToolCallStarted'],
  ['`tool_call_ended`', 'ToolCallStarted', 'ToolCallEnded'],
  ['`bedrock_server_event_received`, `bedrock_client_event_queued`', 'BedrockEvent'],
];

function pluginEvents(): string {
  return EVENTS.map(([events, ...interfaces]) => {
    const fields = interfaces.flatMap((name) => interfaceFields(SESSION_EVENTS, name));
    const rows = fields.map((field) => [
      code(field.optional ? `${field.name}?` : field.name),
      code(field.type),
      cell(field.description),
    ]);
    const title = `${events} (\`${interfaces.at(-1)}\`):`;
    return `${title}\n\n${table(['field', 'type', 'meaning'], rows)}`;
  }).join('\n\n');
}

export const PACKAGE_TABLES: Tables = {
  models,
  'plugin-options': options(PLUGIN_OPTIONS, 'RealtimeModelOptions'),
  'plugin-retry-options': options(PLUGIN_OPTIONS, 'RetryOptions'),
  'plugin-history-options': options(PLUGIN_OPTIONS, 'HistoryLimits'),
  'plugin-timeout-options': options(PLUGIN_OPTIONS, 'TimeoutOptions'),
  'plugin-events': pluginEvents,
  'plugin-error-kinds': errorKinds,
  'emulator-rules': emulatorRules,
  'emulator-evidence': emulatorEvidence,
  'emulator-options': options('nova-sonic-emulator/src/options.ts', 'EmulatorOptions'),
};
