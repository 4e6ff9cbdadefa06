// SPDX-License-Identifier: Apache-2.0
import type { RuleName } from '../protocol/rules.js';
import type { StreamedEvent } from './bedrock-stream.js';

type Chunk = Record<string, unknown>;

/** What a conversation is held with. */
export interface Talk {
  send(name: string, body: object): void;
  /** Speaks, in real time. */
  speak(text: string): Promise<void>;
  /** Waits for an event from now on; false when the stream ended or the time is over. */
  wait(matches: (event: StreamedEvent) => boolean): Promise<StreamedEvent | undefined>;
}

/** A conversation to hold with both endpoints. */
export interface ComparedConversation {
  name: string;
  /** The rule whose breach it tries; undefined for a real conversation. */
  rule?: RuleName;
  hold(talk: Talk): Promise<void>;
}

export const PROMPT = 'prompt';
const plain = { mediaType: 'text/plain' };
const lpcm = {
  mediaType: 'audio/lpcm',
  sampleSizeBits: 16,
  channelCount: 1,
  encoding: 'base64',
  audioType: 'SPEECH',
};
const at = (contentName: string) => ({ promptName: PROMPT, contentName });
const inference = { maxTokens: 256, topP: 0.9, temperature: 0 };
const clock = (json: unknown, name = 'clock') => ({
  toolSpec: { name, description: 'Tells the time of day.', inputSchema: { json } },
});
const SCHEMA = '{"type":"object","properties":{},"required":[]}';

function session(talk: Talk, body: Chunk = { inferenceConfiguration: inference }): void {
  talk.send('sessionStart', body);
}

function prompt(
  talk: Talk,
  { voiceId = 'tiffany', tools }: { voiceId?: string; tools?: unknown[] } = {},
) {
  talk.send('promptStart', {
    promptName: PROMPT,
    textOutputConfiguration: plain,
    audioOutputConfiguration: { ...lpcm, sampleRateHertz: 24_000, voiceId },
    toolUseOutputConfiguration: { mediaType: 'application/json' },
    ...(tools && { toolConfiguration: { tools } }),
  });
}

function text(talk: Talk, name: string, role: string, content: string, interactive = false): void {
  talk.send('contentStart', {
    ...at(name),
    type: 'TEXT',
    role,
    interactive,
    textInputConfiguration: plain,
  });
  talk.send('textInput', { ...at(name), content });
  talk.send('contentEnd', at(name));
}

const system = (talk: Talk) =>
  text(talk, 'system', 'SYSTEM', 'You answer in one short sentence. Use the tools that you have.');

function audio(talk: Talk): void {
  talk.send('contentStart', {
    ...at('audio'),
    type: 'AUDIO',
    role: 'USER',
    interactive: true,
    audioInputConfiguration: { ...lpcm, sampleRateHertz: 16_000 },
  });
  talk.send('audioInput', { ...at('audio'), content: Buffer.alloc(3200).toString('base64') });
}

function open(talk: Talk, options: { tools?: unknown[] } = {}): void {
  session(talk);
  prompt(talk, options);
  system(talk);
  audio(talk);
}

const turnOver = ({ name, body }: StreamedEvent) =>
  name === 'contentEnd' && body.type === 'AUDIO' && body.stopReason === 'END_TURN';
const named = (wanted: string) => (event: StreamedEvent) => event.name === wanted;

/** Real conversations: speech, typed text, a barge-in, a tool, a history. */
const REAL: ComparedConversation[] = [
  {
    name: 'speech',
    async hold(talk) {
      open(talk);
      const over = talk.wait(turnOver);
      await talk.speak('What is the capital of France?');
      await over;
    },
  },
  {
    name: 'typed text',
    async hold(talk) {
      open(talk);
      const over = talk.wait(turnOver);
      text(talk, 'typed', 'USER', 'Say hello.', true);
      await over;
    },
  },
  {
    name: 'barge-in',
    async hold(talk) {
      open(talk);
      const speaking = talk.wait(named('audioOutput'));
      text(talk, 'typed', 'USER', 'Count slowly from one to thirty, in words.', true);
      await speaking;
      const interrupted = talk.wait(named('userSpeechStart'));
      const heard = talk.wait(({ name, body }) => name === 'textOutput' && body.role === 'USER');
      await talk.speak('Stop it, please.');
      await interrupted;
      await heard;
    },
  },
  {
    name: 'tool',
    async hold(talk) {
      open(talk, { tools: [clock(SCHEMA)] });
      const called = talk.wait(named('toolUse'));
      text(talk, 'typed', 'USER', 'What time is it? Use the tool clock.', true);
      const call = await called;
      if (!call) return;
      const over = talk.wait(turnOver);
      talk.send('contentStart', {
        ...at('result'),
        type: 'TOOL',
        role: 'TOOL',
        interactive: false,
        toolResultInputConfiguration: {
          toolUseId: call.body.toolUseId,
          type: 'TEXT',
          textInputConfiguration: plain,
        },
      });
      talk.send('toolResult', { ...at('result'), content: '{"time":"nine"}' });
      talk.send('contentEnd', at('result'));
      await over;
    },
  },
  {
    name: 'history',
    async hold(talk) {
      session(talk);
      prompt(talk);
      system(talk);
      text(talk, 'h1', 'USER', 'My name is Ada.');
      text(talk, 'h2', 'ASSISTANT', 'Hello Ada.');
      audio(talk);
      const over = talk.wait(turnOver);
      text(talk, 'typed', 'USER', 'What is my name?', true);
      await over;
    },
  },
];

/** What is not known for sure: each costs a few tokens and shows whether it is refused. */
const probe = (rule: RuleName, act: (talk: Talk) => void): ComparedConversation => ({
  name: `rule ${rule}`,
  rule,
  async hold(talk) {
    const first = talk.wait(() => true);
    act(talk);
    await first;
  },
});
const roleless = (talk: Talk) => {
  talk.send('contentStart', {
    ...at('h1'),
    type: 'TEXT',
    interactive: false,
    textInputConfiguration: plain,
  });
  talk.send('textInput', { ...at('h1'), content: 'Hello.', role: 'USER' });
  talk.send('contentEnd', at('h1'));
};
const withTool = (tool: unknown) => (talk: Talk) => open(talk, { tools: [tool] });

const PROBES: ComparedConversation[] = [
  probe('inference-configuration', (talk) => {
    session(talk, {});
    prompt(talk);
    system(talk);
    audio(talk);
  }),
  probe('unknown-field', (talk) => {
    session(talk, { inferenceConfiguration: { ...inference, topK: 50 } });
    prompt(talk);
    system(talk);
    audio(talk);
  }),
  probe('role-in-content-start', (talk) => {
    session(talk);
    prompt(talk);
    system(talk);
    roleless(talk);
    audio(talk);
  }),
  probe('event-name', (talk) => {
    open(talk);
    talk.send('connectionEnd', {});
  }),
  probe('system-first', (talk) => {
    session(talk);
    prompt(talk);
    audio(talk);
  }),
  probe('voice', (talk) => {
    session(talk);
    prompt(talk, { voiceId: 'Tiffany' });
    system(talk);
    audio(talk);
  }),
  probe('schema-string', withTool(clock({ type: 'object', properties: {} }))),
  probe('schema-keys', withTool(clock('{"type":"object","properties":{},"$defs":{}}'))),
  probe('tool-name', withTool(clock(SCHEMA, 'clock.now'))),
  probe('history-first-user', (talk) => {
    session(talk);
    prompt(talk);
    system(talk);
    text(talk, 'h1', 'ASSISTANT', 'Hello.');
    audio(talk);
  }),
];

export const CONVERSATIONS: readonly ComparedConversation[] = [...REAL, ...PROBES];
