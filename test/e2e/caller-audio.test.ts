// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import {
  AudioFrame,
  AudioSource,
  dispose,
  FrameProcessor,
  LocalAudioTrack,
  type RemoteTrack,
  Room,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { CallerAudioInput } from '../../agent/src/call/caller-audio-input.js';
import { prepareNoiseCancellation } from '../../agent/src/call/noise-cancellation.js';
import { type LiveKitServer, startLiveKitServer } from '../../local/livekit/server.js';

const RATE = 48_000;
const FRAME_SAMPLES = RATE / 10;
const LOUD = 1_000;
initializeLogger({ pretty: false, level: 'silent' });

const microphones: Microphone[] = [];

/** A tone, or silence, for as long as it is published. */
class Microphone {
  readonly #source = new AudioSource(RATE, 1);
  readonly track = LocalAudioTrack.createAudioTrack('microphone', this.#source);
  #sid = '';
  #on = true;
  #playing = Promise.resolve();

  constructor(
    readonly room: Room,
    readonly amplitude: number,
  ) {
    microphones.push(this);
  }

  async publish(source = TrackSource.SOURCE_MICROPHONE): Promise<this> {
    const publication = await this.room.localParticipant?.publishTrack(
      this.track,
      new TrackPublishOptions({ source }),
    );
    this.#sid = publication?.sid ?? '';
    this.#playing = this.#play();
    await publication?.waitForSubscription();
    return this;
  }

  async unpublish(): Promise<void> {
    await this.stop();
    await this.room.localParticipant?.unpublishTrack(this.#sid);
  }

  async stop(): Promise<void> {
    this.#on = false;
    await this.#playing;
  }

  /** The source takes a frame when there is room for it, which is the clock. */
  async #play(): Promise<void> {
    const tone = new Int16Array(FRAME_SAMPLES).map(
      (_, i) => this.amplitude * Math.sin((2 * Math.PI * 440 * i) / RATE),
    );
    while (this.#on)
      await this.#source.captureFrame(new AudioFrame(tone, RATE, 1, FRAME_SAMPLES)).catch(() => {
        this.#on = false;
      });
  }
}

describe('the caller’s microphone', () => {
  let livekit: LiveKitServer;
  let agent: Room;
  let caller: Room;
  let input: CallerAudioInput;
  let frames: ReadableStreamDefaultReader<AudioFrame>;
  let rooms = 0;
  const joined: Room[] = [];

  async function join(identity: string): Promise<Room> {
    const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity });
    token.addGrant({ room: `room-${rooms}`, roomJoin: true });
    const room = new Room();
    await room.connect(livekit.url, await token.toJwt(), { autoSubscribe: true, dynacast: false });
    joined.push(room);
    return room;
  }

  /** Reads on until so many frames in a row are loud, or silent. */
  async function until(loud: boolean, count = 10): Promise<AudioFrame> {
    for (let same = 0; ; ) {
      const { value } = await frames.read();
      if (!value) throw new Error('the stream ended');
      same = value.data.some((sample) => Math.abs(sample) > LOUD) === loud ? same + 1 : 0;
      if (same === count) return value;
    }
  }

  beforeAll(async () => {
    livekit = await startLiveKitServer({ onStatus: () => {} });
  }, 600_000);
  beforeEach(async () => {
    rooms += 1;
    [agent, caller] = await Promise.all([join('agent'), join('caller')]);
    input = new CallerAudioInput(agent, ['caller']);
    input.setAttached(true);
    frames = input.stream.getReader() as ReadableStreamDefaultReader<AudioFrame>;
  });
  afterEach(async () => {
    await Promise.all(microphones.splice(0).map((microphone) => microphone.stop()));
    await input.close();
    await Promise.all(joined.splice(0).map((room) => room.disconnect()));
  });
  afterAll(async () => {
    await dispose();
    await livekit.stop();
  });

  it('arrives in frames of 30 ms at Sonic’s sample rate', async () => {
    await new Microphone(caller, 10_000).publish();
    const { sampleRate, channels, samplesPerChannel } = await until(true);
    expect({ sampleRate, channels, samplesPerChannel }).toEqual({
      sampleRate: 16_000,
      channels: 1,
      samplesPerChannel: 480,
    });
  });

  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux('is looked for on this machine only: no name is looked up', async () => {
    await new Microphone(caller, 10_000).publish();
    await until(true);
    const threads = readdirSync('/proc/self/task').map((id) =>
      readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim(),
    );
    // WebRTC's threads for names of STUN servers, which stay until the names are found.
    expect(threads).toContain('network_thread');
    expect(threads).not.toContain('AsyncResolver');
  });

  it('is used when it was published before the agent started to listen', async () => {
    await new Microphone(caller, 10_000).publish();
    await until(true);
    const late = new CallerAudioInput(agent, ['caller']);
    late.setAttached(true);
    frames = late.stream.getReader() as ReadableStreamDefaultReader<AudioFrame>;
    await until(true);
  });

  it('is every microphone of the caller, as long as it is published', async () => {
    await new Microphone(caller, 0).publish();
    await until(false);
    const second = await new Microphone(caller, 10_000).publish();
    await until(true);
    await second.unpublish();
    await until(false);
    await new Microphone(caller, 10_000).publish();
    await until(true);
  });

  it('goes through LiveKit’s noise cancellation, in our own frames', async () => {
    const processor = new (class extends FrameProcessor<AudioFrame> {
      closed = 0;
      readonly samples = new Set<number>();
      override isEnabled() {
        return true;
      }
      override setEnabled() {}
      override process(frame: AudioFrame) {
        this.samples.add(frame.samplesPerChannel);
        frame.data.fill(7);
        return frame;
      }
      override close() {
        this.closed += 1;
      }
    })();
    const filtered = new CallerAudioInput(
      agent,
      ['caller'],
      await prepareNoiseCancellation(processor),
    );
    filtered.setAttached(true);
    const reader = filtered.stream.getReader();
    const first = await new Microphone(caller, 10_000).publish();
    for (let i = 0; i < 3; i++) expect((await reader.read()).value?.data[100]).toBe(7);
    await first.unpublish();
    await new Microphone(caller, 10_000).publish();
    expect((await reader.read()).value?.data[100]).toBe(7);
    expect([...processor.samples]).toEqual([480]);
    expect(processor.closed).toBe(0);
    await filtered.close();
    expect(processor.closed).toBe(1);
  });

  it('is heard with noise when LiveKit does not have the filter', async () => {
    const filter = await prepareNoiseCancellation({ moduleId: 'missing', options: {} });
    const unfiltered = new CallerAudioInput(agent, ['caller'], filter);
    unfiltered.setAttached(true);
    frames = unfiltered.stream.getReader() as ReadableStreamDefaultReader<AudioFrame>;
    await new Microphone(caller, 10_000).publish();
    await until(true);
    await unfiltered.close();
  });

  it('is used again when the caller rejoins', async () => {
    await new Microphone(caller, 0).publish();
    await until(false);
    await caller.disconnect();
    caller = await join('caller');
    await new Microphone(caller, 10_000).publish();
    await until(true);
  });

  it('excludes other participants and other tracks of the caller', async () => {
    await new Microphone(caller, 0).publish();
    await until(false);
    await new Microphone(await join('somebody'), 10_000).publish();
    await new Microphone(caller, 10_000).publish(TrackSource.SOURCE_SCREENSHARE_AUDIO);
    await until(false, 50);
  });

  it('is not read while the session’s input is detached', async () => {
    const microphone = await new Microphone(caller, 0).publish();
    await until(false);
    input.setAttached(false);
    await microphone.unpublish();
    await new Microphone(caller, 10_000).publish();
    let received = false;
    const next = frames.read().then(({ value }) => {
      received = true;
      return value;
    });
    // Another listener hears it: so much time has passed.
    const other = new CallerAudioInput(agent, ['caller']);
    other.setAttached(true);
    const reader = other.stream.getReader();
    for (let i = 0; i < 25; i++) await reader.read();
    expect(received).toBe(false);
    input.setAttached(true);
    expect((await next)?.sampleRate).toBe(16_000);
    await until(true);
  });

  it('ends with the call', async () => {
    await new Microphone(caller, 10_000).publish();
    await until(true);
    await input.close();
    for (;;) {
      const { done } = await frames.read();
      if (done) break;
    }
    expect(agent.listenerCount('trackSubscribed')).toBe(0);
    // The framework may still switch its input on.
    expect(() => input.setAttached(true)).not.toThrow();
  });

  it('is picked up later when a track could not be opened', async () => {
    await new Microphone(caller, 0).publish();
    await until(false);
    input.setAttached(false);
    const [publication] = agent.remoteParticipants.get('caller')?.trackPublications.values() ?? [];
    const track = publication?.track;
    if (publication) publication.track = {} as RemoteTrack;
    expect(() => input.setAttached(true)).not.toThrow();
    if (publication) publication.track = track;
    await new Microphone(caller, 10_000).publish();
    await until(true);
  });
});
