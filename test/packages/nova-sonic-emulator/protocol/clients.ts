// SPDX-License-Identifier: Apache-2.0
// Long because it is one table: which real clients send what, as their sources show it.
import type { RuleName } from '../../../../packages/nova-sonic-emulator/src/protocol/rules.js';
import {
  audioInputs,
  audioStartInput,
  bare,
  block,
  end,
  type Input,
  inference,
  prompt,
  promptEndInput,
  result,
  resultStart,
  sensitivity,
  session,
  sessionEndInput,
  textInput,
  textStart,
  tool,
  tools,
  withField,
  without,
} from './inputs.js';

/** What one client sends that others do not, as a whole session. */
export interface ClientShape {
  client: string;
  language: string;
  /** Repository and commit, or date, of the source. */
  source: string;
  /** What is special. */
  sends: string;
  inputs: Input[];
  /** The rules that the emulator warns of. */
  warns: RuleName[];
  /** @default 'amazon.nova-2-sonic-v1:0' */
  model?: string;
}

const close = [end('a'), promptEndInput, sessionEndInput];
const audio = [audioStartInput(), audioInputs(), ...close];
const system = (extra: object = {}) => block('sys', 'SYSTEM', 'Be brief.', extra);
/** A text whose role stands in textInput, and in contentStart only if asked. */
const roleInInput = (name: string, role: string, both = false, extra: object = {}): Input[] => {
  const start = textStart(name, role, extra);
  return [
    both ? start : without(start, 'role'),
    withField(textInput(name, 'words'), { role }),
    end(name),
  ];
};
const toolUseOutput = { toolUseOutputConfiguration: { mediaType: 'application/json' } };
const schema = (fields: object) => JSON.stringify({ type: 'object', properties: {}, ...fields });

export const CLIENTS: ClientShape[] = [
  {
    client: 'AWS sample resume-conversation',
    language: 'TypeScript',
    source: 'aws-samples/amazon-nova-samples a2d0e7f',
    sends: 'the role of the history in textInput',
    inputs: [
      ...bare,
      ...system(),
      ...roleInInput('h1', 'USER'),
      ...roleInInput('h2', 'ASSISTANT'),
      ...audio,
    ],
    warns: ['role-in-content-start'],
  },
  {
    client: 'AWS sample serverless-nova-sonic-chat',
    language: 'TypeScript',
    source: 'aws-samples/sample-serverless-nova-sonic-chat c39656a',
    sends: 'the role of the history in textInput; temperature 1; no tool fields without tools',
    inputs: [
      session({}, { maxTokens: 1024, topP: 0.9, temperature: 1 }),
      prompt(),
      ...system(),
      ...roleInInput('h1', 'USER'),
      ...audio,
    ],
    warns: ['role-in-content-start'],
  },
  {
    client: 'AWS sample sonic-cdk-agent',
    language: 'JavaScript, Python',
    source: 'aws-samples/sample-sonic-cdk-agent 955b1e9',
    sends:
      'the role of the SYSTEM text in textInput, interactive; role in audioInput; an interactive TOOL content',
    inputs: [
      session({}, { maxTokens: 1024, topP: 0.95, temperature: 0.7 }),
      prompt({ ...toolUseOutput, ...tools([tool()]) }),
      ...roleInInput('sys', 'SYSTEM', false, { interactive: true }),
      audioStartInput(),
      withField(audioInputs(), { role: 'USER' }),
      withField(resultStart(), { interactive: true }),
      result('{}'),
      end('t'),
      ...close,
    ],
    warns: ['role-in-content-start', 'unknown-field'],
  },
  {
    client: 'AWS sample eval-harness, console-python',
    language: 'Python',
    source: 'aws-samples/sample-amazon-nova-sonic-eval-harness 008f72f',
    sends: 'an empty list of tools; typed text',
    inputs: [
      session(),
      prompt({ ...toolUseOutput, ...tools([]) }),
      ...system(),
      audioStartInput(),
      audioInputs(),
      ...block('typed', 'USER', 'Hello', { interactive: true }),
      ...close,
    ],
    warns: [],
  },
  {
    client: 'AWS sample speech2speech-webrtc',
    language: 'Python, JavaScript',
    source: 'aws-samples/sample-nova-sonic-speech2speech-webrtc 723997c',
    sends: '$schema at the top of a schema; an interactive SYSTEM text',
    inputs: [
      session(),
      prompt(tools([tool(schema({ $schema: 'http://json-schema.org/draft-07/schema#' }))])),
      ...system({ interactive: true }),
      ...audio,
    ],
    warns: ['schema-keys'],
  },
  {
    client: 'AWS sample nova-sonic-mcp',
    language: 'TypeScript',
    source: 'aws-samples/sample-nova-sonic-mcp ff815e8',
    sends: 'an interactive SYSTEM text; schemas as strings',
    inputs: [
      session(),
      prompt({ ...toolUseOutput, ...tools([tool(schema({ required: [] }))]) }),
      ...system({ interactive: true }),
      ...audio,
    ],
    warns: [],
  },
  {
    client: 'pipecat',
    language: 'Python',
    source: 'pipecat-ai/pipecat acead05',
    sends: 'turnDetectionConfiguration; typed text in the conversation; history before it',
    inputs: [
      session(sensitivity),
      prompt(),
      ...system(),
      ...block('h1', 'USER'),
      ...block('h2', 'ASSISTANT'),
      audioStartInput(),
      audioInputs(),
      ...block('typed', 'USER', 'Hello', { interactive: true }),
      ...close,
    ],
    warns: [],
  },
  {
    client: 'livekit-plugins-aws',
    language: 'Python',
    source: 'livekit/agents da6af86',
    sends: 'tool fields always; history without interactive text',
    inputs: [
      session(sensitivity),
      prompt({ ...toolUseOutput, ...tools([]) }),
      ...system(),
      ...block('h1', 'USER'),
      ...audio,
    ],
    warns: [],
  },
  {
    client: 'livekit-plugins-aws, Nova Sonic 1',
    language: 'Python',
    source: 'livekit/agents da6af86',
    sends: 'endpointingSensitivity in sessionStart',
    model: 'amazon.nova-sonic-v1:0',
    inputs: [session({ endpointingSensitivity: 'HIGH' }), prompt(), ...system(), ...audio],
    warns: [],
  },
  {
    client: 'strands (bidi)',
    language: 'Python',
    source: 'strands-agents/sdk-python 1232230',
    sends: 'an empty SYSTEM text; connectionEnd instead of sessionEnd',
    inputs: [
      session({}, {}),
      prompt(),
      ...block('sys', 'SYSTEM', ''),
      audioStartInput(),
      audioInputs(),
      end('a'),
      promptEndInput,
      ['connectionEnd', {}],
    ],
    warns: ['event-name'],
  },
  {
    client: 'Vision-Agents',
    language: 'Python',
    source: 'GetStream/Vision-Agents e5d6017',
    sends:
      'turnDetectionConfiguration beside sessionStart; audio of 24 kHz; additionalProperties in schemas',
    inputs: [
      ['sessionStart', { inferenceConfiguration: inference }, sensitivity],
      prompt({ ...toolUseOutput, ...tools([tool(schema({ additionalProperties: false }))]) }),
      ...system(),
      audioStartInput({ sampleRateHertz: 24_000 }),
      audioInputs(),
      ...close,
    ],
    warns: ['one-name', 'schema-keys'],
  },
  {
    client: 'mastra',
    language: 'TypeScript',
    source: 'mastra-ai/mastra 52d9a21',
    sends: 'topK and stopSequences; toolChoice without tools; an empty SYSTEM text',
    inputs: [
      session({}, { maxTokens: 4096, topP: 0.9, temperature: 0.7, topK: 50, stopSequences: [] }),
      prompt({ toolConfiguration: { toolChoice: { auto: {} } } }),
      ...block('sys', 'SYSTEM', ''),
      ...audio,
    ],
    warns: ['unknown-field', 'required-field'],
  },
  {
    client: 'litellm',
    language: 'Python',
    source: 'BerriAI/litellm 0246769',
    sends: 'a new AUDIO content for each commit, under the same contentName',
    inputs: [
      session(),
      prompt(),
      ...system(),
      audioStartInput(),
      audioInputs(),
      end('a'),
      audioStartInput(),
      audioInputs(),
      ...close,
    ],
    warns: ['content-name-once'],
  },
  {
    client: 'promptfoo',
    language: 'TypeScript',
    source: 'promptfoo/promptfoo 013586d',
    sends: 'rates of 8 and 16 kHz; toolConfiguration without toolUseOutputConfiguration',
    inputs: [
      session(),
      prompt(tools([tool()]), { sampleRateHertz: 16_000 }),
      ...system(),
      audioStartInput({ sampleRateHertz: 8000 }),
      audioInputs(),
      ...close,
    ],
    warns: [],
  },
  {
    client: 'nova-sonic-proto, Nova 2.5',
    language: 'Python',
    source: 'ma2saka/nova-sonic-proto (2026-10)',
    sends: 'an interactive SYSTEM text; an empty list of tools',
    model: 'amazon.nova-2-5-sonic',
    inputs: [
      session(sensitivity),
      prompt({ ...toolUseOutput, ...tools([]) }),
      ...system({ interactive: true }),
      ...audio,
    ],
    warns: [],
  },
  {
    client: 'rtp-agent, Nova Sonic 1',
    language: 'Go',
    source: 'cavos-io/rtp-agent (2026)',
    sends: 'endpointingSensitivity in sessionStart; half a sample of audio',
    model: 'amazon.nova-sonic-v1:0',
    inputs: [
      session({ endpointingSensitivity: 'HIGH' }),
      prompt(),
      ...system(),
      audioStartInput(),
      audioInputs('AQID'),
      ...close,
    ],
    warns: ['whole-samples'],
  },
  {
    client: 'a Swift package (BedrockEvents.swift)',
    language: 'Swift',
    source: 'public, seen 2026-11',
    sends:
      'transport in the audio formats; the role of the SYSTEM text in both places; results of tools as textInput, without interactive',
    inputs: [
      session(),
      prompt({ ...toolUseOutput, ...tools([tool()], { auto: {} }) }, { transport: 'json' }),
      ...roleInInput('sys', 'SYSTEM', true, { interactive: true }),
      ...block('speech', 'SYSTEM_SPEECH'),
      audioStartInput({ transport: 'json' }),
      audioInputs(),
      without(resultStart(), 'interactive'),
      textInput('t', '{}'),
      end('t'),
      ...close,
    ],
    warns: ['unknown-field', 'role-in-content-start', 'content-kind'],
  },
  {
    client: 'a telephony agent with MCP tools',
    language: 'Python',
    source: 'public, seen 2026-11',
    sends: 'results of tools with the role USER',
    inputs: [
      session(),
      prompt({ ...toolUseOutput, ...tools([tool()]) }),
      ...system(),
      audioStartInput(),
      audioInputs(),
      withField(resultStart(), { role: 'USER' }),
      result('{}'),
      end('t'),
      ...close,
    ],
    warns: ['tool-role'],
  },
  {
    client: 'a Rust client (Tyde)',
    language: 'Rust',
    source: 'public, seen 2026-11',
    sends: 'nothing special; it found that the SYSTEM text must come first',
    inputs: [
      session(sensitivity),
      prompt({ ...toolUseOutput, ...tools([tool()]) }),
      ...system(),
      ...audio,
    ],
    warns: [],
  },
  {
    client: 'AWS sample s2s-voip-gateway',
    language: 'Java',
    source: 'aws-samples/sample-s2s-voip-gateway 4699142',
    sends:
      'AUDIO contents without a role; a role in audioInput and toolResult; a null textInputConfiguration in TOOL contents',
    model: 'amazon.nova-sonic-v1:0',
    inputs: [
      session(),
      prompt(
        { ...toolUseOutput, ...tools([tool(schema({ required: [] }))]) },
        { sampleRateHertz: 8000 },
      ),
      ...roleInInput('sys', 'SYSTEM', false, { interactive: true }),
      without(audioStartInput({ sampleRateHertz: 8000 }), 'role'),
      withField(audioInputs(), { role: 'USER' }),
      withField(resultStart(), { textInputConfiguration: null }),
      withField(result('{}'), { role: 'TOOL' }),
      end('t'),
      // The sample itself closes a content that it never opened, and no prompt: the caller has hung up.
      ...close,
    ],
    warns: ['audio-role', 'role-in-content-start', 'unknown-field'],
  },
  {
    client: 'a smoke test of an agent for Salesforce',
    language: 'Python',
    source: 'public, seen 2026-11 (bedrock-voice/smoke_test.py)',
    sends: 'typed text before the first audioInput; frames of 16 ms',
    inputs: [
      session(),
      prompt({ ...toolUseOutput, ...tools([tool(schema({ required: [] }))]) }),
      ...system(),
      audioStartInput(),
      ...block('typed', 'USER', 'Hello', { interactive: true }),
      audioInputs(Buffer.alloc(512).toString('base64')),
      ...close,
    ],
    warns: [],
  },
  {
    client: 'an Android app',
    language: 'Kotlin',
    source: 'public, seen 2026-11 (an issue, with a log of Bedrock)',
    sends: 'a whole recording in one audioInput, after which the audio ends',
    model: 'amazon.nova-sonic-v1:0',
    inputs: [
      session(),
      prompt(),
      ...system({ interactive: true }),
      audioStartInput(),
      audioInputs(Buffer.alloc(192_000).toString('base64')),
      ...close,
    ],
    warns: [],
  },
  {
    client: 'several',
    language: 'any',
    source: 'issue 19',
    sends: 'sessionStart without inferenceConfiguration; the role of the history in both places',
    inputs: [
      ['sessionStart', {}],
      prompt(),
      ...system(),
      ...roleInInput('h1', 'USER', true),
      ...audio,
    ],
    warns: ['inference-configuration', 'role-in-content-start'],
  },
];
