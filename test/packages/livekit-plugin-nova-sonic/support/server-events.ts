// SPDX-License-Identifier: Apache-2.0
// Events of the service, as they look on the wire.

type Json = Record<string, unknown>;
let counter = 0;
const id = () => `content-${++counter}`;
const stage = (s: string) => JSON.stringify({ generationStage: s });

export const speechStart = (inputAudioOffsetMs?: number): Json => ({
  userSpeechStart: { ...(inputAudioOffsetMs !== undefined && { inputAudioOffsetMs }) },
});
export const speechEnd = (
  inputAudioOffsetMs?: number,
  inputAudioDetectionOffsetMs?: number,
): Json => ({
  userSpeechEnd: {
    ...(inputAudioOffsetMs !== undefined && { inputAudioOffsetMs }),
    ...(inputAudioDetectionOffsetMs !== undefined && { inputAudioDetectionOffsetMs }),
  },
});
export const completionStart = (): Json => ({ completionStart: { completionId: 'the-one' } });

function text(role: string, generationStage: string, content: string, stopReason: string): Json[] {
  const contentId = id();
  return [
    {
      contentStart: {
        contentId,
        type: 'TEXT',
        role,
        additionalModelFields: stage(generationStage),
      },
    },
    { textOutput: { contentId, role, content } },
    { contentEnd: { contentId, type: 'TEXT', stopReason } },
  ];
}

export const userText = (content: string): Json[] => text('USER', 'FINAL', content, 'PARTIAL_TURN');
export const plan = (content: string): Json[] =>
  text('ASSISTANT', 'SPECULATIVE', content, 'PARTIAL_TURN');
export const spokenReply = (content: string): Json[] =>
  text('ASSISTANT', 'FINAL', content, 'PARTIAL_TURN');
export const interruptedText = (
  content = '{ "interrupted" : true }',
  stop = 'INTERRUPTED',
): Json[] => text('ASSISTANT', 'FINAL', content, stop);

/** `ms` of audible speech at 24 kHz, in pieces of 80 ms. */
export function audioContent(ms: number, stopReason = 'PARTIAL_TURN', contentId = id()): Json[] {
  return [
    audioContentStart(contentId),
    ...audioData(contentId, ms),
    audioEnd(contentId, stopReason),
  ];
}
export const audioContentStart = (contentId: string): Json => ({
  contentStart: { contentId, type: 'AUDIO', role: 'ASSISTANT' },
});
export const audioEnd = (contentId: string, stopReason: string): Json => ({
  contentEnd: { contentId, type: 'AUDIO', stopReason },
});
export function audioData(contentId: string, ms: number): Json[] {
  const events: Json[] = [];
  for (let left = ms; left > 0; left -= 80) {
    const samples = new Int16Array(Math.round(24 * Math.min(80, left))).map((_, i) =>
      Math.round(8_000 * Math.sin(i / 5)),
    );
    const content = Buffer.from(samples.buffer).toString('base64');
    events.push({ audioOutput: { contentId, role: 'ASSISTANT', content } });
  }
  return events;
}
export const newContentId = id;

/** A whole reply of one sentence. */
export const reply = (content: string, ms = 400): Json[] => [
  ...plan(content),
  ...audioContent(ms, 'END_TURN'),
];

export function toolUse(toolName: string, args: unknown, toolUseId: string): Json[] {
  const contentId = id();
  return [
    { contentStart: { contentId, type: 'TOOL', role: 'TOOL' } },
    {
      toolUse: {
        contentId,
        role: 'TOOL',
        toolName,
        toolUseId,
        content: typeof args === 'string' ? args : JSON.stringify(args),
      },
    },
    { contentEnd: { contentId, type: 'TOOL', stopReason: 'TOOL_USE' } },
  ];
}
