// SPDX-License-Identifier: Apache-2.0
// Long because it is one table: every rule of the protocol with an example that breaks it and one that keeps it.
import {
  audioInputs,
  audioStartInput,
  block,
  end,
  type Input,
  inference,
  live,
  open,
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
  without,
} from './inputs.js';

/** A rule of the protocol: a sequence whose last event breaks it, and its legal neighbour. */
export interface Rule {
  rule: string;
  breaks: Input[];
  /** What the service says, without `RequestId=… : `. */
  says: string;
  passes: Input[];
  /** @default 'amazon.nova-2-sonic-v1:0' */
  model?: string;
  /** A tool call with the id `call-1` waits for its result. */
  pendingCall?: boolean;
}

export const PARSE =
  'Unable to parse input chunk. Please check input format contains correct format.';
export const INVALID = 'Invalid input request';
const V1 = 'amazon.nova-sonic-v1:0';

/** What the documentation and reports from the live service refuse; where the service's text is not known, `Invalid input request`. */
export const RULES: Rule[] = [
  // Form: names, required fields, types, unknown fields.
  {
    rule: 'an event has a known name',
    breaks: [session(), ['promptBegin', {}]],
    says: INVALID,
    passes: open,
  },
  {
    rule: 'sessionStart needs inferenceConfiguration',
    breaks: [['sessionStart', {}]],
    says: PARSE,
    passes: [session()],
  },
  {
    rule: 'maxTokens is a whole number',
    breaks: [session({}, { ...inference, maxTokens: '1024' })],
    says: PARSE,
    passes: [session({}, { ...inference, maxTokens: 1 })],
  },
  {
    rule: 'maxTokens is at least 1',
    breaks: [session({}, { ...inference, maxTokens: 0 })],
    says: INVALID,
    passes: [session({}, { ...inference, maxTokens: 1 })],
  },
  {
    rule: 'temperature is at most 1',
    breaks: [session({}, { ...inference, temperature: 1.01 })],
    says: INVALID,
    passes: [session({}, { ...inference, temperature: 1 })],
  },
  {
    rule: 'topP is at least 0',
    breaks: [session({}, { ...inference, topP: -0.1 })],
    says: INVALID,
    passes: [session({}, { ...inference, topP: 0 })],
  },
  {
    rule: 'endpointingSensitivity is not flat on Nova 2 (livekit/agents #6200)',
    breaks: [session({ endpointingSensitivity: 'HIGH' })],
    says: INVALID,
    passes: [session(sensitivity)],
  },
  {
    rule: 'endpointingSensitivity is flat on v1',
    model: V1,
    breaks: [session(sensitivity)],
    says: INVALID,
    passes: [session({ endpointingSensitivity: 'HIGH' })],
  },
  {
    rule: 'endpointingSensitivity is HIGH, MEDIUM or LOW',
    breaks: [session({ turnDetectionConfiguration: { endpointingSensitivity: 'high' } })],
    says: PARSE,
    passes: [session({ turnDetectionConfiguration: { endpointingSensitivity: 'LOW' } })],
  },
  {
    rule: 'an unknown field is refused',
    breaks: [session(), prompt({ language: 'en' })],
    says: INVALID,
    passes: open,
  },
  {
    rule: 'an unknown field deep inside is refused',
    breaks: [session(), prompt({}, { bitRate: 16 })],
    says: INVALID,
    passes: open,
  },
  {
    rule: 'the output rate is 8, 16 or 24 kHz',
    breaks: [session(), prompt({}, { sampleRateHertz: 48_000 })],
    says: PARSE,
    passes: [session(), prompt({}, { sampleRateHertz: 8000 })],
  },
  {
    rule: 'the input rate is 8, 16 or 24 kHz',
    breaks: [...open, audioStartInput({ sampleRateHertz: 44_100 })],
    says: PARSE,
    passes: [...open, audioStartInput({ sampleRateHertz: 24_000 })],
  },
  {
    rule: 'input and output rates are independent',
    breaks: [...open, audioStartInput({ sampleRateHertz: 11_025 })],
    says: PARSE,
    passes: [
      session(),
      prompt({}, { sampleRateHertz: 16_000 }),
      audioStartInput({ sampleRateHertz: 8000 }),
      audioInputs(),
    ],
  },
  {
    rule: 'audio is mono',
    breaks: [...open, audioStartInput({ channelCount: 2 })],
    says: PARSE,
    passes: [...open, audioStartInput()],
  },
  {
    rule: 'contentStart needs a contentName',
    breaks: [...open, without(audioStartInput(), 'contentName')],
    says: PARSE,
    passes: [...open, audioStartInput()],
  },
  {
    rule: 'AUDIO has the role USER',
    breaks: [...open, [audioStartInput()[0], { ...audioStartInput()[1], role: 'ASSISTANT' }]],
    says: PARSE,
    passes: [...open, audioStartInput()],
  },
  {
    rule: 'a TEXT content has a known role',
    breaks: [...open, textStart('x', 'DEVELOPER')],
    says: PARSE,
    passes: [...open, textStart('x', 'SYSTEM')],
  },
  {
    rule: 'audioInput is base64',
    breaks: [...open, audioStartInput(), audioInputs('not base64!')],
    says: PARSE,
    passes: live,
  },
  // Voices and tools.
  {
    rule: 'voiceId is lower case',
    breaks: [session(), prompt({}, { voiceId: 'Carlos' })],
    says: "Received invalid id: 'Carlos'",
    passes: [session(), prompt({}, { voiceId: 'carlos' })],
  },
  {
    rule: 'greta belongs to v1',
    breaks: [session(), prompt({}, { voiceId: 'greta' })],
    says: "Received invalid id: 'greta'",
    passes: [session(), prompt({}, { voiceId: 'tina' })],
  },
  {
    rule: 'tina does not belong to v1',
    model: V1,
    breaks: [session(), prompt({}, { voiceId: 'tina' })],
    says: "Received invalid id: 'tina'",
    passes: [session(), prompt({}, { voiceId: 'greta' })],
  },
  {
    rule: 'inputSchema.json is a string',
    breaks: [session(), prompt(tools([tool({ type: 'object' })]))],
    says: PARSE,
    passes: [session(), prompt(tools([tool()]))],
  },
  {
    rule: 'inputSchema.json holds a JSON object',
    breaks: [session(), prompt(tools([tool('{"type":')]))],
    says: PARSE,
    passes: [session(), prompt(tools([]))],
  },
  {
    rule: 'toolChoice has no "none"',
    breaks: [session(), prompt(tools([tool()], { none: {} }))],
    says: INVALID,
    passes: [session(), prompt(tools([tool()], { any: {} }))],
  },
  {
    rule: 'toolChoice names a declared tool',
    breaks: [session(), prompt(tools([tool()], { tool: { name: 'calendar' } }))],
    says: INVALID,
    passes: [session(), prompt(tools([tool()], { tool: { name: 'clock' } }))],
  },
  {
    rule: 'toolChoice belongs to Nova 2',
    model: V1,
    breaks: [session(), prompt(tools([tool()], { auto: {} }))],
    says: INVALID,
    passes: [session(), prompt(tools([tool()]))],
  },
  // Order.
  {
    rule: 'sessionStart comes first',
    breaks: [prompt()],
    says: INVALID,
    passes: open,
  },
  {
    rule: 'sessionStart comes once',
    breaks: [session(), session()],
    says: INVALID,
    passes: open,
  },
  {
    rule: 'promptStart comes once',
    breaks: [...open, prompt()],
    says: INVALID,
    passes: [...open, audioStartInput()],
  },
  {
    rule: 'contents come after promptStart',
    breaks: [session(), audioStartInput()],
    says: INVALID,
    passes: [...open, audioStartInput()],
  },
  {
    rule: 'contents belong to the prompt',
    breaks: [...open, [audioStartInput()[0], { ...audioStartInput()[1], promptName: 'q' }]],
    says: INVALID,
    passes: [...open, audioStartInput()],
  },
  {
    rule: 'a contentName is used once',
    breaks: [...open, ...block('x', 'SYSTEM'), textStart('x', 'USER')],
    says: INVALID,
    passes: [...open, ...block('x', 'SYSTEM'), textStart('y', 'USER')],
  },
  {
    rule: 'one SYSTEM block per prompt',
    breaks: [...open, ...block('x', 'SYSTEM'), textStart('y', 'SYSTEM')],
    says: 'Duplicate SYSTEM content. SYSTEM content can only be provided once per prompt',
    passes: [...open, ...block('x', 'SYSTEM'), textStart('y', 'SYSTEM_SPEECH')],
  },
  {
    rule: 'SYSTEM_SPEECH belongs to Nova 2',
    model: V1,
    breaks: [...open, textStart('y', 'SYSTEM_SPEECH')],
    says: INVALID,
    passes: [...open, textStart('y', 'SYSTEM')],
  },
  {
    rule: 'SYSTEM text comes before the audio',
    breaks: [...live, textStart('x', 'SYSTEM')],
    says: INVALID,
    passes: [...open, ...block('x', 'SYSTEM'), audioStartInput(), audioInputs()],
  },
  {
    rule: 'one AUDIO content at a time',
    breaks: [...live, audioStartInput({}, 'b')],
    says: INVALID,
    passes: [...live, audioInputs()],
  },
  {
    rule: 'textInput belongs to an open content',
    breaks: [...open, textInput('x', 'words')],
    says: INVALID,
    passes: [...open, textStart('x', 'SYSTEM'), textInput('x', 'words')],
  },
  {
    rule: 'a closed content takes nothing more',
    breaks: [...open, ...block('x', 'SYSTEM'), textInput('x', 'more')],
    says: INVALID,
    passes: [...open, textStart('x', 'SYSTEM'), textInput('x', 'some'), textInput('x', 'more')],
  },
  {
    rule: 'audioInput belongs to an AUDIO content',
    breaks: [...open, textStart('a', 'SYSTEM'), audioInputs()],
    says: INVALID,
    passes: live,
  },
  {
    rule: 'contentEnd belongs to an open content',
    breaks: [...open, end('x')],
    says: INVALID,
    passes: [...open, ...block('x', 'SYSTEM')],
  },
  {
    rule: 'an unfed AUDIO content cannot be closed',
    breaks: [...open, audioStartInput(), end('a')],
    says: 'Cannot end content [a] as no content data was received',
    passes: [...live, end('a')],
  },
  {
    rule: 'an empty TEXT content cannot be closed',
    breaks: [...open, textStart('x', 'SYSTEM'), end('x')],
    says: 'Cannot end content [x] as no content data was received',
    passes: [...open, ...block('x', 'SYSTEM')],
  },
  {
    rule: 'contents are closed before promptEnd',
    breaks: [...live, promptEndInput],
    says: 'All contents must be closed before ending prompt',
    passes: [...live, end('a'), promptEndInput],
  },
  {
    rule: 'a prompt has audio',
    breaks: [...open, ...block('x', 'SYSTEM'), promptEndInput],
    says: 'Prompt [p] must have at least one audio content',
    passes: [
      ...open,
      ...block('x', 'SYSTEM'),
      audioStartInput(),
      audioInputs(),
      end('a'),
      promptEndInput,
    ],
  },
  {
    rule: 'nothing but sessionEnd follows promptEnd',
    breaks: [...live, end('a'), promptEndInput, audioStartInput({}, 'b')],
    says: INVALID,
    passes: [...live, end('a'), promptEndInput, sessionEndInput],
  },
  // History.
  {
    rule: 'the history begins with USER',
    breaks: [...open, textStart('x', 'ASSISTANT')],
    says: 'First message in chat history should not be Assistant',
    passes: [...open, ...block('x', 'USER'), ...block('y', 'ASSISTANT')],
  },
  {
    rule: 'the history comes before the audio',
    breaks: [...live, textStart('x', 'USER')],
    says: 'Chat history should be sent completely before streaming audio',
    passes: [...live, ...block('x', 'USER', 'words', { interactive: true })],
  },
  {
    rule: 'ASSISTANT text in mid-session is accepted (and ignored)',
    breaks: [...live, textStart('x', 'USER')],
    says: 'Chat history should be sent completely before streaming audio',
    passes: [
      ...live,
      textStart('x', 'ASSISTANT'),
      audioInputs(),
      textInput('x', 'words'),
      end('x'),
    ],
  },
  {
    rule: 'no audio inside a block of the history',
    breaks: [...open, textStart('x', 'USER'), audioInputs()],
    says: 'Chat history should be sent completely before streaming audio',
    passes: [...open, ...block('x', 'USER'), audioStartInput(), audioInputs()],
  },
  {
    rule: 'no AUDIO content inside a block of the history',
    breaks: [...open, textStart('x', 'USER'), audioStartInput()],
    says: 'Chat history should be sent completely before streaming audio',
    passes: [...open, ...block('x', 'USER'), audioStartInput()],
  },
  {
    rule: 'a textInput of the history is at most 50 KB',
    breaks: [...open, textStart('x', 'USER'), textInput('x', 'é'.repeat(25_601))],
    says: 'Chat history is over max limit. Trim chat history and try again.',
    passes: [...open, ...block('x', 'USER', 'é'.repeat(25_600))],
  },
  {
    rule: 'the history is at most 200 KB',
    breaks: [
      ...open,
      ...[0, 1, 2, 3].flatMap((i) =>
        block(`x${i}`, i % 2 ? 'ASSISTANT' : 'USER', 'w'.repeat(51_200)),
      ),
      textStart('x4', 'USER'),
      textInput('x4', 'w'),
    ],
    says: 'Chat history is over max limit. Trim chat history and try again.',
    passes: [
      ...open,
      ...[0, 1, 2, 3].flatMap((i) =>
        block(`x${i}`, i % 2 ? 'ASSISTANT' : 'USER', 'w'.repeat(51_200)),
      ),
    ],
  },
  // Tool results.
  {
    rule: 'a tool result is JSON',
    pendingCall: true,
    breaks: [...live, resultStart(), result('nine o’clock')],
    says: 'Tool Response parsing error',
    passes: [...live, resultStart(), result('{"time":"nine o’clock"}'), end('t')],
  },
  {
    rule: 'a tool result is a JSON object',
    pendingCall: true,
    breaks: [...live, resultStart(), result('[9]')],
    says: 'Tool Response parsing error',
    passes: [...live, resultStart(), result('{}'), end('t')],
  },
  {
    rule: 'a tool result answers a pending call',
    pendingCall: true,
    breaks: [...live, resultStart('call-2')],
    says: INVALID,
    passes: [...live, resultStart('call-1')],
  },
  {
    rule: 'a call has one result',
    pendingCall: true,
    breaks: [...live, resultStart(), resultStart('call-1', 'u')],
    says: INVALID,
    passes: [...live, resultStart(), result('{}'), end('t')],
  },
  {
    rule: 'an empty TOOL content cannot be closed',
    pendingCall: true,
    breaks: [...live, resultStart(), end('t')],
    says: 'Cannot end content [t] as no content data was received',
    passes: [...live, resultStart(), result('{}'), end('t')],
  },
];
