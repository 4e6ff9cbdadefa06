// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type Emulator,
  type EmulatorOptions,
  startEmulator,
} from '../../../../packages/nova-sonic-emulator/src/index.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { sdkClient, TestClient } from '../support/client.js';
import { PROMPT_START, RawClient, SESSION_START } from '../support/raw-client.js';
import { toneSpeech } from '../support/tone-speech.js';

let emulator: Emulator;
afterEach(() => emulator?.close());

const start = async (options: EmulatorOptions) => {
  emulator = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech, ...options });
  return emulator;
};

/** A session in manual time, whose client has sent its first audio. */
async function startPrimed() {
  const clock = new ManualClock();
  await start({ clock });
  const client = new TestClient(sdkClient(emulator));
  client.start();
  client.openAudio({ primeMs: 32 });
  await emulator.until('audioInput');
  return { clock, client };
}

describe('over HTTP/2', () => {
  it('timeScale 1600: eight minutes pass in 0.3 s, and end in a ModelTimeoutException', async () => {
    await start({ timeScale: 1600, limits: { audioIdleSeconds: 999, speechIdleSeconds: 999 } });
    const client = new TestClient(sdkClient(emulator));
    const before = performance.now();
    client.start();
    client.openAudio();
    const error = await client.ended;
    expect(error?.name).toBe('ModelTimeoutException');
    expect(error?.message).toMatch(/: Model has timed out in processing the request\./);
    expect(performance.now() - before).toBeGreaterThan(295);
  });

  it('a client that sends nothing gets the error of the 55 seconds', async () => {
    const { clock, client } = await startPrimed();
    await clock.pass(54_000);
    expect(emulator.sessions()).toHaveLength(1);
    await clock.pass(2000);
    const error = await client.ended;
    expect(error?.name).toBe('ValidationException');
    expect(error?.message).toMatch(/are less than 55 seconds$/);
  });

  it('a client that sends silence gets the error of the 295 seconds', async () => {
    const { clock, client } = await startPrimed();
    for (let seconds = 0; seconds < 280; seconds += 40) {
      await clock.pass(40_000);
      const received = emulator.next('audioInput');
      client.silence(32);
      await received;
    }
    await clock.pass(20_000);
    expect((await client.ended)?.message).toMatch(/are less than 295 seconds$/);
  });
});

describe('settings', () => {
  it('every limit is an option', async () => {
    await start({ limits: { connectionSeconds: 0.4 } });
    const client = new TestClient(sdkClient(emulator));
    client.start();
    expect((await client.ended)?.name).toBe('ModelTimeoutException');
  });

  it.each([
    [{ timeScale: 0 }, /^timeScale is 0; it must be above 0\.$/],
    [{ profile: 'slow' }, /^profile is "slow"; it must be "capture" or "fast"\.$/],
  ])('%j is rejected', async (options, message) => {
    await expect(startEmulator(options as EmulatorOptions)).rejects.toThrow(message);
  });

  it('a port in use is an error, and nothing is left running', async () => {
    await start({});
    const port = Number(new URL(emulator.url).port);
    await expect(startEmulator({ port })).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('concurrent streams', () => {
  const live = async () => {
    const client = new TestClient(sdkClient(emulator));
    client.start();
    await client.output(({ name }) => name === 'usageEvent');
    return client;
  };

  it('beyond the limit get a ThrottlingException with status 429, before the stream', async () => {
    await start({ limits: { concurrentStreams: 2 } });
    const [first] = [await live(), await live()];
    const third = new TestClient(sdkClient(emulator));
    third.start();
    const error = await third.ended;
    expect(error?.name).toBe('ThrottlingException');
    expect(error?.message).toBe('Too many requests, please wait before trying again.');
    // biome-ignore lint/suspicious/noExplicitAny: the SDK's metadata
    expect((error as any).$metadata.httpStatusCode).toBe(429);
    expect(third.outputs).toEqual([]);

    // A stream that ends makes room.
    const gone = emulator.next('gone');
    first.endInput();
    await first.ended;
    await gone;
    await live();
  });

  it('are counted for each Region', async () => {
    await start({ limits: { concurrentStreams: 1 } });
    await live();
    const elsewhere = new TestClient(sdkClient(emulator, { region: 'eu-north-1' }));
    elsewhere.start();
    await elsewhere.output(({ name }) => name === 'usageEvent');
    expect(emulator.sessions().map(({ account }) => account)).toEqual([
      'emulator/us-east-1',
      'emulator/eu-north-1',
    ]);
  });
});

describe('response headers', () => {
  const raw = () => new RawClient({ url: emulator.url, credentials: emulator.credentials });

  it('are sent after the first input event, not before', async () => {
    await start({});
    const client = raw();
    const { session } = await emulator.until('open');
    expect(emulator.events.seen({ session, name: 'headers' })).toEqual([]);
    client.send('sessionStart', SESSION_START);
    expect((await client.headers)[':status']).toBe(200);
    const [first, second] = emulator.events
      .seen({ session })
      .filter(({ name }) => name === 'headers' || name === 'sessionStart');
    expect([first?.name, second?.name]).toEqual(['sessionStart', 'headers']);
    client.close();
  });

  it('are sent after 20 s without any input', async () => {
    await start({ timeScale: 100 });
    const before = performance.now();
    const client = raw();
    expect((await client.headers)[':status']).toBe(200);
    expect(performance.now() - before).toBeGreaterThan(195);
    client.close();
  });

  it('contain the true date, which clients correct their clocks by', async () => {
    await start({});
    // To the second.
    const before = Math.floor(Date.now() / 1000) * 1000;
    const client = raw();
    client.send('sessionStart', SESSION_START);
    client.send('promptStart', PROMPT_START);
    const { date } = await client.headers;
    expect(Date.parse(date as string)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(date as string)).toBeLessThanOrEqual(Date.now());
    client.close();
  });
});
