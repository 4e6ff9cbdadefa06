// SPDX-License-Identifier: Apache-2.0
// The network between the real SDK and the emulator: lower bounds only, which no busy machine can break.
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type Emulator,
  type EmulatorOptions,
  startEmulator,
} from '../../../../packages/nova-sonic-emulator/src/index.js';
import { sdkClient, TestClient } from '../support/client.js';
import { toneSpeech } from '../support/tone-speech.js';

/** Timers may fire a fraction of a millisecond early. */
const SLACK = 2;

let emulator: Emulator;
afterEach(() => emulator.close());
const start = async (options: EmulatorOptions = {}) => {
  emulator = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech, ...options });
};
const usage = (client: TestClient) => client.output(({ name }) => name === 'usageEvent');
const time = (name: string) => emulator.events.seen({ name })[0]?.time as number;
const now = () => performance.timeOrigin + performance.now();

describe('a network between', () => {
  it('takes a round trip for TCP, then the latency in each direction', async () => {
    await start({ network: { latencyMs: 40 } });
    const began = now();
    const client = new TestClient(sdkClient(emulator));
    client.start();
    await usage(client);
    expect(time('open') - began).toBeGreaterThan(80 - SLACK);
    expect(time('sessionStart') - time('open')).toBeGreaterThan(40 - SLACK);
    expect(now() - time('usageEvent')).toBeGreaterThan(40 - SLACK);
    client.openAudio();
    client.close();
    expect(await client.ended).toBeUndefined();
  });

  it('delays a refusal by the round trip', async () => {
    await start({ network: { latencyMs: 20 }, faults: [{ kind: 'throttle' }] });
    const client = new TestClient(sdkClient(emulator));
    client.start();
    expect((await client.ended)?.name).toBe('ThrottlingException');
  });

  it('changes in mid-connection, and stalls', async () => {
    await start();
    const client = new TestClient(sdkClient(emulator));
    client.start();
    await usage(client);
    expect(emulator.setNetwork({ latencyMs: 30 })).toEqual({
      latencyMs: 30,
      jitterMs: 0,
      bandwidthKbps: 0,
    });
    emulator.stallNetwork(120);
    const sent = now();
    client.openAudio();
    const arrived = await emulator.next('audioInput');
    expect(arrived.time - sent).toBeGreaterThan(120 - SLACK);
    client.close();
    expect(await client.ended).toBeUndefined();
  });

  it('stalls one session by a fault, and goes on after it', async () => {
    await start({ faults: [{ kind: 'stall', durationMs: 100, after: 'in:promptStart' }] });
    const client = new TestClient(sdkClient(emulator));
    client.start();
    await usage(client);
    expect(now() - time('promptStart')).toBeGreaterThan(100 - SLACK);
    client.openAudio();
    client.close();
    expect(await client.ended).toBeUndefined();
  });

  it('holds the client back when the bandwidth is too small for its audio', async () => {
    // Half a second of audio is some 30 kB on the wire: at 2 Mbit/s more than 70 ms, however fast it is written.
    await start({ network: { bandwidthKbps: 2000 } });
    const client = new TestClient(sdkClient(emulator));
    client.start();
    client.openAudio({ primeMs: 500 });
    client.close();
    const first = await emulator.until('audioInput');
    const last = await emulator.until('sessionEnd');

    expect(last.time - first.time).toBeGreaterThan(50);
    expect(await client.ended).toBeUndefined();
  });
});
