// SPDX-License-Identifier: Apache-2.0

// What an agent gets from `npm run call -- --phone --digits … --noise …`, and from the fleet's telephones.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AudioSource,
  AudioStream,
  dispose,
  ParticipantKind,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  type TrackPublication,
  TrackSource,
} from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { CALLER_RATE, Caller } from '../../agent/src/caller/caller.js';
import { publishMicrophone } from '../../agent/src/caller/join-room.js';
import { rmsLevel } from '../../local/audio/wav.js';
import { createDevice } from '../../local/caller/device.js';
import { pressKeys } from '../../local/caller/phone.js';
import { LightCaller } from '../../local/fleet/light-caller.js';
import { type LiveKitServer, startLiveKitServer } from '../../local/livekit/server.js';

const RATE = 48_000;
const NOISE_DBFS = -30;

/** Level in dBFS of what is above a frequency: four passes of a one-pole filter. */
function levelAbove(hertz: number, samples: Int16Array): number {
  const a = Math.exp((-2 * Math.PI * hertz) / RATE);
  let rest = Float64Array.from(samples);
  for (let pass = 0; pass < 4; pass++) {
    let low = 0;
    rest = rest.map((sample) => {
      low = a * low + (1 - a) * sample;
      return sample - low;
    });
  }
  return 20 * Math.log10(Math.hypot(...rest) / Math.sqrt(rest.length) / 32_768);
}

describe('a telephone', () => {
  let livekit: LiveKitServer;
  const rooms: Room[] = [];

  beforeAll(async () => {
    livekit = await startLiveKitServer({ onStatus: () => {} });
  });
  afterEach(async () => {
    await Promise.all(rooms.splice(0).map((room) => room.disconnect()));
  });
  afterAll(async () => {
    await dispose();
    await livekit.stop();
  });

  async function listen(name: string) {
    const room = new Room();
    rooms.push(room);
    const joined = new Promise<RemoteParticipant>((resolve) =>
      room.on(RoomEvent.ParticipantConnected, resolve),
    );
    const heard = new Promise<[RemoteTrack, TrackPublication]>((resolve) =>
      room.on(RoomEvent.TrackSubscribed, (track, publication) => resolve([track, publication])),
    );
    const keys: [number, string, string][] = [];
    let onKey = () => {};
    room.on(RoomEvent.DtmfReceived, (code, digit, { identity }) => {
      keys.push([code, digit, identity]);
      onKey();
    });
    const pressed = (count: number) =>
      new Promise<typeof keys>((resolve) => {
        onKey = () => keys.length >= count && resolve(keys);
        onKey();
      });
    const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity: 'agent' });
    token.addGrant({ room: name, roomJoin: true });
    await room.connect(livekit.url, await token.toJwt(), { autoSubscribe: true, dynacast: false });
    /** The SIP service answers when somebody can be heard. */
    const answered = async () => {
      const active = new Promise<void>((resolve) =>
        room.on(RoomEvent.ParticipantAttributesChanged, (changed) => {
          if (changed['sip.callStatus'] === 'active') resolve();
        }),
      );
      await publishMicrophone(room, new AudioSource(RATE, 1));
      await active;
    };
    return { joined, heard, pressed, answered };
  }

  /** A second of a track, after what comes first. */
  async function second(track: RemoteTrack): Promise<Int16Array> {
    const samples: number[] = [];
    const stream = new AudioStream(track, { sampleRate: RATE, numChannels: 1 });
    for await (const frame of stream) {
      if (samples.length > 0 || rmsLevel(frame.data) > 0) samples.push(...frame.data);
      if (samples.length > 2 * RATE) break;
    }
    return Int16Array.from(samples.slice(RATE));
  }

  it('is a SIP participant with its attributes, presses keys, and sounds like G.711', async () => {
    const { joined, heard, pressed, answered } = await listen('phone');
    const device = createDevice({ phone: true, noise: { dbfs: NOISE_DBFS } }, CALLER_RATE);
    const caller = new Caller({ record: false, device });
    await caller.join(livekit, 'phone');
    const { identity, kind, attributes, name } = await joined;
    const number = device.sip?.attributes['sip.phoneNumber'];
    expect({ identity, kind, name }).toEqual({
      identity: `sip_${number}`,
      kind: ParticipantKind.SIP,
      name: `Phone ${number}`,
    });
    expect(attributes).toEqual(device.sip?.attributes);

    await answered();
    await pressKeys(caller.room, '1*#');
    expect(await pressed(3)).toEqual([
      [1, '1', identity],
      [10, '*', identity],
      [11, '#', identity],
    ]);

    const [track, publication] = await heard;
    expect(publication.name).toBe(identity);
    expect(publication.source).toBe(TrackSource.SOURCE_MICROPHONE);
    const samples = await second(track);
    const level = 20 * Math.log10(rmsLevel(samples) / 32_768);
    expect(Math.abs(level - NOISE_DBFS)).toBeLessThan(6);
    // Of white noise at 48 kHz three quarters are above 6 kHz; a telephone ends below 4 kHz.
    expect(levelAbove(6_000, samples)).toBeLessThan(level - 12);
    await caller.hangUp();
  });

  it('is what the fleet calls with, too', async () => {
    const { joined, pressed } = await listen('fleet');
    const caller = new LightCaller('fleet', { phone: true, noise: { dbfs: NOISE_DBFS } });
    await caller.join(livekit);
    expect(await joined).toMatchObject({
      kind: ParticipantKind.SIP,
      attributes: expect.objectContaining({ 'sip.callStatus': 'ringing' }),
    });
    await caller.press('4#');
    const { identity } = await joined;
    expect(await pressed(2)).toEqual([
      [4, '4', identity],
      [11, '#', identity],
    ]);
    await caller.hangUp();
  });
});
