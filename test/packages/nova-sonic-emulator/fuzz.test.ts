// SPDX-License-Identifier: Apache-2.0
import http2 from 'node:http2';
import { afterEach, expect, it } from '@jest/globals';
import { type Emulator, startEmulator } from '../../../packages/nova-sonic-emulator/src/index.js';
import { SeededRandom } from '../../../packages/nova-sonic-emulator/src/random.js';
import { sdkClient, TestClient } from './support/client.js';
import {
  chunk,
  inner,
  outline,
  PROMPT_START,
  RawClient,
  type RawResponse,
  SESSION_START,
} from './support/raw-client.js';
import { toneSpeech } from './support/tone-speech.js';

/**
 * Broken input, from a seed: never a crash, never a hang; in strict mode always an error. Other sessions are not
 * affected.
 */
const AT_ONCE = 25;

let emulator: Emulator;
afterEach(() => emulator.close());

const EVENTS: Record<string, object> = {
  sessionStart: SESSION_START,
  promptStart: PROMPT_START,
  contentStart: { promptName: 'p', contentName: 'a', type: 'AUDIO', role: 'USER' },
  audioInput: { promptName: 'p', contentName: 'a', content: 'AAAA' },
  textInput: { promptName: 'p', contentName: 'a', content: 'words' },
  toolResult: { promptName: 'p', contentName: 'a', content: '{}' },
  contentEnd: { promptName: 'p', contentName: 'a' },
};

/** Anything that JSON can say. */
function anything(random: SeededRandom, depth = 0): unknown {
  const kinds = depth > 3 ? 6 : 8;
  switch (random.whole(0, kinds - 1)) {
    case 0:
      return null;
    case 1:
      return random.next() < 0.5;
    case 2:
      return random.between(-1e9, 1e9);
    case 3:
      return random.pick(['', '__proto__', 'constructor', 'toString', '💥', '\u0000', '../..']);
    case 4:
      return 'x'.repeat(random.whole(0, 5000));
    case 5:
      return [];
    case 6:
      return Array.from({ length: random.whole(1, 4) }, () => anything(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.whole(1, 4) }, () => [
          random.pick([
            ...Object.keys(EVENTS),
            'promptName',
            'event',
            'bytes',
            '__proto__',
            'json',
          ]),
          anything(random, depth + 1),
        ]),
      );
  }
}

/** An event with one field changed, so that it must be rejected. */
function spoilt(random: SeededRandom): object {
  const name = random.pick(Object.keys(EVENTS).filter((event) => event !== 'sessionStart'));
  const body = structuredClone(EVENTS[name]) as Record<string, unknown>;
  const field = random.pick(Object.keys(body));
  // A list is right for no field.
  if (random.next() < 0.5) body[field] = [anything(random)];
  else body[`${field}${random.whole(0, 9)}`] = anything(random);
  return { event: { [name]: body } };
}

type Attack = (client: RawClient, random: SeededRandom) => void;

const bytes = (random: SeededRandom, length: number) =>
  Uint8Array.from({ length }, () => random.whole(0, 255));

const ATTACKS: Record<string, Attack> = {
  noise: (client, random) => client.write(bytes(random, random.whole(16, 2000))),
  'a frame with a bit turned': (client, random) => {
    const frame = client.sign(chunk('{"event":{"sessionEnd":{}}}'));
    const at = random.whole(0, frame.length - 1);
    frame[at] = (frame[at] as number) ^ (1 << random.whole(0, 7));
    client.write(frame);
  },
  'a frame cut short': (client, random) => {
    const frame = client.sign(chunk('{"event":{"sessionEnd":{}}}'));
    client.write(frame.slice(0, random.whole(1, frame.length - 1)));
    client.end(false);
  },
  'a frame with a false length': (client, random) => {
    const frame = Buffer.from(client.sign(chunk('{"event":{"sessionEnd":{}}}')));
    frame.writeUInt32BE(frame.length + random.whole(1, 100_000), 0);
    client.write(frame);
  },
  'a frame of a gigabyte': (client) => {
    const frame = Buffer.alloc(12);
    frame.writeUInt32BE(0x4000_0000, 0);
    client.write(frame);
  },
  'a signed frame of noise': (client, random) =>
    client.write(client.sign(bytes(random, random.whole(1, 500)))),
  'a payload that is not JSON': (client, random) =>
    client.write(client.sign(inner(bytes(random, random.whole(1, 200))))),
  'a payload without bytes': (client, random) =>
    client.write(client.sign(inner(JSON.stringify({ bites: anything(random) })))),
  'another event type': (client) => client.write(client.sign(inner('{}', 'chank'))),
  'bytes that are not JSON': (client, random) =>
    client.write(client.sign(chunk(`{"event":${'x'.repeat(random.whole(1, 50))}`))),
  'any JSON': (client, random) => {
    client.write(client.sign(chunk(JSON.stringify(anything(random)) ?? 'null')));
  },
  'any event': (client, random) => {
    const event = { [random.pick(Object.keys(EVENTS))]: [anything(random)] };
    client.write(client.sign(chunk(JSON.stringify({ event }))));
  },
  'an event with a field spoilt': (client, random) =>
    client.write(client.sign(chunk(JSON.stringify(spoilt(random))))),
  'an event out of order': (client, random) => {
    const name = random.pick([
      'sessionStart',
      'promptStart',
      'audioInput',
      'toolResult',
      'contentEnd',
    ]);
    client.send(name, EVENTS[name] as object);
  },
};

it.each([
  { cases: 1000, strict: true, what: 'all rejected' },
  { cases: 300, strict: false, what: 'rejected or warned of' },
])(
  '$cases broken inputs are $what, while another session continues its conversation',
  async ({ cases, strict }) => {
    emulator = await startEmulator({
      profile: 'fast',
      textToSpeech: toneSpeech,
      limits: { concurrentStreams: 1000 },
      rules: { strict },
    });
    const bystander = new TestClient(sdkClient(emulator));
    bystander.start();
    bystander.openAudio();

    const random = new SeededRandom(20_261_123);
    const names = Object.keys(ATTACKS);
    const failures: string[] = [];
    let done = 0;
    const attack = async (seed: number, connection: http2.ClientHttp2Session) => {
      const own = new SeededRandom(seed);
      const name = names[seed % names.length] as string;
      const { url, credentials } = emulator;
      const client = new RawClient({ url, credentials, connection });
      // Half of them attack a session that has started.
      if (own.next() < 0.5 || name === 'an event out of order') {
        client.send('sessionStart', SESSION_START);
        client.send('promptStart', PROMPT_START);
      }
      (ATTACKS[name] as Attack)(client, own);
      if (!strict) client.end();
      const response = await Promise.race([client.response, hang()]);
      if (!response) failures.push(`${name} (${seed}): no answer`);
      else if (strict && !isError(response))
        failures.push(`${name} (${seed}): ${outline(response).join(' ')}`);
      client.close();
      done++;
    };
    const seeds = Array.from({ length: cases }, (_, i) => i * 1009 + random.whole(0, 1008));
    const worker = async () => {
      const connection = http2.connect(emulator.url);
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        await attack(seed, connection);
      }
      connection.destroy();
    };
    const attacks = Promise.all(Array.from({ length: AT_ONCE }, worker));

    // Meanwhile another session holds a conversation.
    for (let i = 0; i < 3; i++) {
      const from = bystander.outputs.length;
      bystander.text('USER', 'Say "I am still here."', true);
      const text = await bystander.output(({ body }) => body.content === 'I am still here.', from);
      await bystander.output(
        ({ body }) => body.stopReason === 'END_TURN',
        bystander.outputs.indexOf(text),
      );
    }
    await attacks;

    expect(failures).toEqual([]);
    expect(done).toBe(cases);
    bystander.close();
    expect(await bystander.ended).toBeUndefined();
    expect(bystander.outputs.at(-1)?.name).toBe('completionEnd');
  },
);

function isError(response: RawResponse): boolean {
  if (response.status >= 400) return response.text.includes('"message"');
  return /^!\w+Exception: RequestId=/.test(outline(response).at(-1) ?? '');
}

const hang = () =>
  new Promise<undefined>((resolve) => setTimeout(resolve, 60_000, undefined).unref());
