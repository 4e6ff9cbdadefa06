// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import './browser.js';

/** LiveKit's local track of one device. */
class FakeTrack extends EventEmitter {
  mediaStreamTrack = { enabled: true, muted: false };
  isMuted = false;
  stopped = 0;
  device: unknown;

  stop() {
    this.stopped += 1;
  }
  async mute() {
    this.isMuted = true;
  }
  async unmute() {
    this.isMuted = false;
  }
  async setDeviceId(device: unknown) {
    this.device = device;
  }
  /** The browser gives another track. */
  restart() {
    this.mediaStreamTrack = { enabled: true, muted: false };
    this.emit('restarted');
  }
}

const created: unknown[] = [];
let track: FakeTrack;
jest.unstable_mockModule('livekit-client', () => ({
  createLocalAudioTrack: async (options: unknown) => {
    created.push(options);
    return track;
  },
  TrackEvent: { Restarted: 'restarted' },
  DisconnectReason: {},
  ConnectionError: class {},
  ConnectionErrorReason: {},
}));
const { Microphone } = await import('../../../../local/playground/page/microphone.js');
const { silentMicrophone, systemMuted } = await import(
  '../../../../local/playground/page/problems.js'
);

async function open(deviceId = '') {
  const tracks: unknown[] = [];
  const microphone = await Microphone.open(deviceId, (one) => tracks.push(one));
  return { microphone, tracks };
}
beforeEach(() => {
  track = new FakeTrack();
  created.length = 0;
});

describe('Microphone', () => {
  it('is the chosen device, or the one of the system', async () => {
    await open();
    await open('usb');
    expect(created).toEqual([
      expect.not.objectContaining({ deviceId: expect.anything() }),
      expect.objectContaining({ deviceId: { exact: 'usb' }, echoCancellation: true }),
    ]);
  });

  it('stops the browser’s track when it is closed: the light goes out', async () => {
    const { microphone } = await open();
    expect(track.stopped).toBe(0);
    microphone.close();
    expect(track.stopped).toBe(1);
  });

  it('switches to another device', async () => {
    const { microphone } = await open();
    await microphone.switchDevice('usb');
    expect(track.device).toEqual({ exact: 'usb' });
    await microphone.switchDevice('');
    expect(track.device).toBe('default');
  });

  it('sends sound only while it is neither muted nor silenced by push-to-talk', async () => {
    const { microphone } = await open();
    const enabled = () => track.mediaStreamTrack.enabled;
    microphone.transmit(false);
    expect(enabled()).toBe(false);
    microphone.transmit(true);
    expect(enabled()).toBe(true);
    await microphone.mute(true);
    expect(enabled()).toBe(false);
    microphone.transmit(true);
    expect(enabled()).toBe(false);
    await microphone.mute(false);
    expect(enabled()).toBe(true);
  });

  it('gives each track that replaces the first, and sends no more on it than before', async () => {
    const { microphone, tracks } = await open();
    microphone.transmit(false);
    const first = track.mediaStreamTrack;
    track.restart();
    expect(tracks).toEqual([first, track.mediaStreamTrack]);
    expect(tracks[1]).not.toBe(first);
    expect(track.mediaStreamTrack.enabled).toBe(false);
  });

  describe('reports one that delivers no sound', () => {
    it('after eight seconds, until there is some', async () => {
      const { microphone } = await open();
      expect(microphone.checkLevel(0, 1_000)).toBeUndefined();
      expect(microphone.checkLevel(0.0005, 9_000)).toBeUndefined();
      expect(microphone.checkLevel(0.0005, 9_001)).toBe(silentMicrophone);
      expect(microphone.checkLevel(0.0006, 9_100)).toBeUndefined();
      // Who was heard once may be silent.
      expect(microphone.checkLevel(0, 60_000)).toBeUndefined();
      track.restart();
      expect(microphone.checkLevel(0, 61_000)).toBeUndefined();
      expect(microphone.checkLevel(0, 69_001)).toBe(silentMicrophone);
    });

    it('but not one that sends none on purpose', async () => {
      const { microphone } = await open();
      microphone.checkLevel(0, 0);
      microphone.transmit(false);
      expect(microphone.checkLevel(0, 60_000)).toBeUndefined();
      microphone.transmit(true);
      await microphone.mute(true);
      expect(microphone.checkLevel(0, 90_000)).toBeUndefined();
      await microphone.mute(false);
      // From then on again.
      expect(microphone.checkLevel(0, 91_000)).toBeUndefined();
    });

    it('at once when the system has muted it', async () => {
      const { microphone } = await open();
      track.mediaStreamTrack.muted = true;
      expect(microphone.checkLevel(0.5, 0)).toBe(systemMuted);
    });
  });
});
