// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import './browser.js';
import { CallRecorder } from '../../../../local/playground/page/call-recorder.js';
import { encodeWav } from '../../../../local/playground/page/encode-wav.js';

const port: { onmessage: ((message: { data: unknown }) => void) | null } = { onmessage: null };
const log: string[] = [];
const source = (name: string) => ({
  connect: (_node: unknown, _output: number, input: number) => log.push(`${name} -> ${input}`),
  disconnect: () => log.push(`${name} off`),
});
Object.assign(globalThis, {
  AudioContext: class {
    audioWorklet = { addModule: async () => {} };
    resume = async () => {};
    close = async () => void log.push('closed');
    createMediaStreamSource = ({ name }: { name: string }) => source(name);
  },
  AudioWorkletNode: class {
    port = port;
    connect() {}
  },
  MediaStream: class {
    readonly name: string;
    constructor([track]: [{ name: string }]) {
      this.name = track.name;
    }
  },
});

describe('CallRecorder', () => {
  const events: unknown[] = [];
  let recorder: CallRecorder;
  const receive = (data: unknown) => port.onmessage?.({ data });

  beforeEach(async () => {
    jest.useFakeTimers({ now: 1_000_000 });
    recorder = await CallRecorder.open({
      onLevels: (levels) => events.push(levels),
      onSound: (...sound) => events.push(sound),
    });
  });
  afterEach(() => {
    jest.useRealTimers();
    log.length = 0;
    events.length = 0;
  });

  it('records each side on its own input, and a new track in place of the old one', () => {
    const track = (name: string) => ({ name }) as unknown as MediaStreamTrack;
    recorder.setTrack('you', track('mic'));
    recorder.setTrack('agent', track('voice'));
    recorder.setTrack('you', track('usb'));
    recorder.setTrack('agent', undefined);
    expect(log).toEqual(['mic -> 0', 'voice -> 1', 'mic off', 'usb -> 0', 'voice off']);
  });

  it('keeps half an hour, as it came', async () => {
    receive({ type: 'rate', rate: 1_000 });
    const minute = () => Int16Array.from({ length: 2 * 60_000 }, (_, i) => i % 100);
    for (let i = 0; i < 40; i += 1) receive({ type: 'samples', samples: minute() });
    expect(recorder.seconds).toBe(31 * 60);
    const wav = Buffer.from(await recorder.toWav().arrayBuffer());
    expect(wav.length).toBe(44 + 31 * 60 * 1_000 * 4);
    expect(wav.readInt16LE(44 + 2 * 7)).toBe(7);
  });

  it('reports levels by side, and sound by the page’s clock', () => {
    receive({ type: 'level', at: 10, peaks: [0.25, 0.5] });
    jest.setSystemTime(1_000_600);
    // The message came late; the sound began half a second before.
    receive({ type: 'sound', audible: true, at: 10.1, now: 10.5 });
    expect(events).toEqual([{ you: 0.25, agent: 0.5 }, [true, 1_000_100]]);
  });

  it('follows the page’s clock when that goes faster than the audio’s', () => {
    // In each minute of audio the page’s clock gains 60 ms.
    for (let at = 0; at <= 60; at += 1) {
      jest.setSystemTime(1_000_000 + at * 1_001);
      receive({ type: 'level', at, peaks: [0, 0] });
    }
    events.length = 0;
    receive({ type: 'sound', audible: true, at: 60, now: 60 });
    const [[, heardAt] = []] = events as [boolean, number][];
    // Of the last twenty seconds.
    expect(heardAt).toBeGreaterThanOrEqual(1_060_060 - 20);
    expect(heardAt).toBeLessThanOrEqual(1_060_060);
  });

  it('stops for good, and keeps what was recorded', () => {
    receive({ type: 'samples', samples: new Int16Array(48_000) });
    recorder.setTrack('you', { name: 'mic' } as unknown as MediaStreamTrack);
    recorder.stop();
    receive({ type: 'samples', samples: new Int16Array(48_000) });
    expect(recorder.seconds).toBe(1);
    expect(log).toEqual(['mic -> 0', 'mic off', 'closed']);
  });
});

describe('encodeWav', () => {
  it('writes a header that fits what follows', async () => {
    const chunks = [Int16Array.of(1, -1, 2, -2), Int16Array.of(3, -3)];
    const wav = Buffer.from(await encodeWav(chunks, 2, 24_000).arrayBuffer());
    expect(wav.toString('latin1', 0, 4)).toBe('RIFF');
    expect(wav.readUInt32LE(4)).toBe(wav.length - 8);
    expect(wav.toString('latin1', 8, 16)).toBe('WAVEfmt ');
    expect(wav.readUInt16LE(20)).toBe(1);
    expect(wav.readUInt16LE(22)).toBe(2);
    expect(wav.readUInt32LE(24)).toBe(24_000);
    expect(wav.readUInt32LE(28)).toBe(96_000);
    expect(wav.readUInt16LE(32)).toBe(4);
    expect(wav.readUInt16LE(34)).toBe(16);
    expect(wav.readUInt32LE(40)).toBe(12);
    expect([0, 1, 2, 3, 4, 5].map((i) => wav.readInt16LE(44 + 2 * i))).toEqual([
      1, -1, 2, -2, 3, -3,
    ]);
  });
});
