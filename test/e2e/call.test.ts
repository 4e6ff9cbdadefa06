// SPDX-License-Identifier: Apache-2.0

// The README's first command, as a stranger runs it: a real LiveKit server, the real worker, the emulator.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { SILENCE_LEVEL } from '../../agent/src/caller/pcm.js';
import { peakDb, readWav } from '../../local/audio/wav.js';
import type { CallOutcome } from '../../local/caller/call-runner.js';
import { type OtlpReceiver, startOtlpReceiver } from '../../local/traces/otlp-receiver.js';
import { largestTrace } from '../../local/traces/trace-tree.js';
import { Command, directory, speechFile } from './support.js';

jest.setTimeout(180_000);

const outcomeIn = (out: string) =>
  JSON.parse(readFileSync(join(out, 'conversation.json'), 'utf8')) as CallOutcome;

const messages = ({ events }: CallOutcome) =>
  events.flatMap((entry) => (entry.type === 'message' ? [entry] : []));

/** Seconds of sound, counted in windows of 20 ms. */
function secondsOfSound(samples: Int16Array, sampleRate: number): number {
  const window = sampleRate / 50;
  let loud = 0;
  for (let i = 0; i < samples.length; i += window)
    if (samples.subarray(i, i + window).some((sample) => Math.abs(sample) > SILENCE_LEVEL)) loud++;
  return loud / 50;
}

describe('npm run call', () => {
  it('asks the demo questions when it is given none; the tool’s result is spoken as the answer', async () => {
    const out = directory('demo');
    const receiver = await startOtlpReceiver();
    const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const command = new Command('call', ['--out', out], traced);

    await command.succeeds();
    await receiver.close();
    expectTrace(receiver);
    expect(command.stdout).toMatch(/you\s+What time is it in Tokyo\?/);
    expect(command.stdout).toMatch(/tool\s+get_current_time \{"city":"Tokyo"\} -> /);
    expect(command.stdout).toMatch(/end of speech -> first sound/);

    const outcome = outcomeIn(out);
    const tool = outcome.events.find((entry) => entry.type === 'tool');
    const { time } = JSON.parse(tool?.type === 'tool' ? tool.result : '{}') as { time: string };
    expect(time).toMatch(/^\d{1,2}:\d\d/);
    expect(messages(outcome)).toContainEqual(
      expect.objectContaining({
        role: 'assistant',
        text: `In Tokyo it is ${time} now.`,
        interrupted: false,
      }),
    );
    expect(outcome.turns.map((turn) => turn.firstSoundAt)).toEqual([
      expect.any(Number),
      expect.any(Number),
    ]);

    const agent = readWav(join(out, 'agent.wav'), 48_000);
    expect(peakDb(agent.samples)).toBeGreaterThan(-20);
    expect(secondsOfSound(agent.samples, agent.sampleRate)).toBeGreaterThan(1);
    expect(await command.leftovers()).toEqual([]);
  });

  it('stops when the caller interrupts, marks the reply as interrupted and answers the next question', async () => {
    const out = directory('barge-in');
    const scenario = join(out, 'scenario.yaml');
    writeFileSync(scenario, LONG_REPLY);
    const record = join(out, 'record.jsonl');
    const questions = await Promise.all(
      ['Tell me a long story.', 'Stop, please, that is enough.', 'How are you today?'].map((text) =>
        speechFile(text),
      ),
    );
    const command = new Command('call', [
      ...questions,
      ...['--barge-in', '2', '--scenario', scenario, '--record', record, '--out', out],
    ]);

    await command.succeeds();
    const outcome = outcomeIn(out);
    expect(outcome.bargeIns).toHaveLength(1);
    const { at, silenceMs } = outcome.bargeIns[0] ?? { at: 0, silenceMs: 0 };
    const heard = recorded(record).find(({ name }) => name === 'bargeIn')?.time;
    // The target is 250 ms, which `npm run call` prints. On any machine the agent is silent before the caller has finished.
    const order = [heard, at + silenceMs, outcome.turns[1]?.endOfSpeechAt];
    expect(silenceMs).toBeGreaterThanOrEqual(0);
    expect(order).toEqual(order.toSorted((a, b) => (a ?? 0) - (b ?? 0)));

    const said = messages(outcome);
    const story = said.find(({ text }) => text.includes('Once upon a time'));
    expect(story).toMatchObject({ role: 'assistant', interrupted: true });
    // What was not spoken is not in the history.
    expect(story?.text).not.toContain('the end of the story');
    expect(said.at(-1)).toMatchObject({
      role: 'assistant',
      text: 'I am fine.',
      interrupted: false,
    });
  });

  it('ends well when the model ends the call, whose caller hears the goodbye', async () => {
    const out = directory('goodbye');
    const scenario = join(out, 'scenario.yaml');
    writeFileSync(
      scenario,
      `turns:
  - { on: text, reply: Hello. }
  - { user: 'That is all, goodbye.', tools: [{ name: end_call }], reply: Goodbye and thank you. }`,
    );
    const question = await speechFile('That is all, goodbye.');
    const command = new Command('call', [question, '--scenario', scenario, '--out', out]);
    await command.succeeds();
    const outcome = outcomeIn(out);
    expect(messages(outcome).at(-1)).toMatchObject({
      text: 'Goodbye and thank you.',
      interrupted: false,
    });
    expect(outcome.events.at(-1)).toMatchObject({ type: 'ended', reason: 'end_call_tool' });
    const agent = readWav(join(out, 'agent.wav'), 48_000);
    expect(secondsOfSound(agent.samples, agent.sampleRate)).toBeGreaterThan(1);
  });

  it('is a phone that rings, in silence, and is greeted when it is answered', async () => {
    const out = directory('ring');
    const command = new Command('call', ['--ring', '3', '--out', out]);
    await command.succeeds();
    expect(command.stdout).toMatch(/phone +is answered[\s\S]*greeting: \d+ ms after the phone/);
    // The target is 1 s, which the command prints; the figure depends on the machine.
    expect(outcomeIn(out).greetingMs).toBeGreaterThan(0);
    process.stderr.write(`${/greeting: .*/.exec(command.stdout)?.[0]}\n`);
  });

  it('ends with an error when no answer comes, here to a telephone that has pressed keys', async () => {
    const out = directory('silence');
    const scenario = join(out, 'scenario.yaml');
    writeFileSync(
      scenario,
      'turns: [{ on: text, reply: Hello. }, { on: speech, delay: 60000, reply: Late. }]',
    );
    const command = new Command('call', [
      ...[
        await speechFile('Is anybody there?'),
        '--scenario',
        scenario,
        '--out',
        out,
        '--patience',
        '4',
      ],
      ...['--phone', '--digits', '1#', '--noise', '-45'],
    ]);
    expect(await command.exited).toBe(1);
    expect(command.stdout).toMatch(/joined room call-_\+1555\S+ as Phone \+1555/);
    expect(command.stdout).toMatch(/keys +1#/);
    expect(command.stderr).toContain('1 of 1 questions got no answer.');
    expect(await command.leftovers()).toEqual([]);
  });

  it.each([
    ['a missing file', () => 'nowhere.wav', /There is no file nowhere\.wav/],
    ['a broken file', brokenWav, /cannot be read as WAV/],
  ])('refuses %s in one sentence, before it starts anything', async (_, file, sentence) => {
    const command = new Command('call', [file()]);
    expect(await command.exited).toBe(2);
    expect(command.stderr.trim()).toMatch(sentence);
    expect(command.stderr.trim().split('\n')).toHaveLength(1);
  });
});

/** The trace of the call, from the worker and the process of the call, in which nothing is said. */
function expectTrace({ bodies, spans: all }: OtlpReceiver): void {
  const spans = largestTrace(all);
  const [root, ...otherRoots] = spans.filter(({ parentSpanId }) => parentSpanId === '');
  expect(otherRoots).toEqual([]);
  expect(root).toMatchObject({ name: 'call', attributes: { 'nova_sonic.renewals': 0 } });
  const children = spans.filter(({ parentSpanId }) => parentSpanId === root?.spanId);
  expect(children.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['answer', 'agent_session', 'bedrock_stream', 'first_audio']),
  );
  const names = spans.map(({ name }) => name);
  expect(names).toContain('agent_turn');
  const tools = spans.filter(({ name }) => name === 'function_tool');
  expect(tools.map(({ attributes }) => attributes['gen_ai.tool.name'])).toEqual([
    'get_current_time',
    'convert_units',
  ]);
  for (const said of ['Tokyo', 'kilometers', 'How can I help', 'friendly assistant', 'mile'])
    expect([said, bodies.some((body) => body.includes(said))]).toEqual([said, false]);
}

const recorded = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; time: number });

function brokenWav(): string {
  const file = join(directory('broken'), 'broken.wav');
  writeFileSync(file, 'this is text');
  return file;
}

const LONG_REPLY = `
turns:
  - on: text
    reply: Hello.
  - on: speech
    user: Tell me a long story.
    reply:
      - Once upon a time there was a king who lived in a castle on a hill above the sea.
      - Every morning he looked out of the highest window and counted the ships.
      - One day there was a ship that he had never seen before, with seven sails.
      - And this is the end of the story.
  - on: speech
    user: Stop, please, that is enough.
    reply: As you like.
  - on: speech
    user: How are you today?
    reply: I am fine.
`;
