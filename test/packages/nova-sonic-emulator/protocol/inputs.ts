// SPDX-License-Identifier: Apache-2.0
// What a client may send, in the smallest legal form of each event.

/** An input event: name and body, and what stands beside it in the same event. */
export type Input = readonly [name: string, body: object, beside?: object];

/** The event as it is sent. */
export const chunkOf = ([name, body, beside]: Input) => ({ event: { [name]: body, ...beside } });

export const inference = { maxTokens: 1024, topP: 0.9, temperature: 0.7 };
const plain = { mediaType: 'text/plain' };
const lpcm = {
  mediaType: 'audio/lpcm',
  sampleSizeBits: 16,
  channelCount: 1,
  encoding: 'base64',
  audioType: 'SPEECH',
};
const voice = { ...lpcm, sampleRateHertz: 24_000, voiceId: 'tiffany' };
export const tool = (json: unknown = '{"type":"object"}', name = 'clock') => ({
  toolSpec: { name, description: 'Tells the time', inputSchema: { json } },
});
export const withField = (event: Input, extra: object): Input => [
  event[0],
  { ...event[1], ...extra },
];

export const session = (extra: object = {}, configuration: object = inference): Input => [
  'sessionStart',
  { inferenceConfiguration: configuration, ...extra },
];
export const prompt = (extra: object = {}, output: object = {}): Input => [
  'promptStart',
  {
    promptName: 'p',
    textOutputConfiguration: plain,
    audioOutputConfiguration: { ...voice, ...output },
    ...extra,
  },
];
const at = (contentName: string) => ({ promptName: 'p', contentName });
export const textStart = (name: string, role: string, extra: object = {}): Input => [
  'contentStart',
  { ...at(name), type: 'TEXT', role, interactive: false, textInputConfiguration: plain, ...extra },
];
export const textInput = (name: string, content: string): Input => [
  'textInput',
  { ...at(name), content },
];
export const end = (name: string): Input => ['contentEnd', at(name)];
export const block = (
  name: string,
  role: string,
  content = 'words',
  extra: object = {},
): Input[] => [textStart(name, role, extra), textInput(name, content), end(name)];
export const audioStartInput = (extra: object = {}, name = 'a'): Input => [
  'contentStart',
  {
    ...at(name),
    type: 'AUDIO',
    role: 'USER',
    interactive: true,
    audioInputConfiguration: { ...lpcm, sampleRateHertz: 16_000, ...extra },
  },
];
const silence = Buffer.alloc(1024).toString('base64');
export const audioInputs = (content = silence, name = 'a'): Input => [
  'audioInput',
  { ...at(name), content },
];
export const resultStart = (toolUseId = 'call-1', name = 't'): Input => [
  'contentStart',
  {
    ...at(name),
    type: 'TOOL',
    role: 'TOOL',
    interactive: false,
    toolResultInputConfiguration: { toolUseId, type: 'TEXT', textInputConfiguration: plain },
  },
];
export const result = (content: string, name = 't'): Input => [
  'toolResult',
  { ...at(name), content },
];
export const promptEndInput: Input = ['promptEnd', { promptName: 'p' }];
export const sessionEndInput: Input = ['sessionEnd', {}];

/** A prompt without any content. */
export const bare = [session(), prompt()];
/** A prompt with its SYSTEM text. */
export const open = [...bare, ...block('sys', 'SYSTEM')];
export const live = [...open, audioStartInput(), audioInputs()];
export const without = (event: Input, field: string): Input => {
  const { [field]: _, ...rest } = event[1] as Record<string, unknown>;
  return [event[0], rest];
};
export const sensitivity = { turnDetectionConfiguration: { endpointingSensitivity: 'HIGH' } };
export const tools = (list: unknown[], choice?: object) => ({
  toolConfiguration: { tools: list, ...(choice && { toolChoice: choice }) },
});
