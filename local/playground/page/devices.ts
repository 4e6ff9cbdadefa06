// SPDX-License-Identifier: Apache-2.0

import { Store } from './store.js';

export interface Devices {
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
  /** Device ids; '' is the system default. */
  microphone: string;
  speaker: string;
}

/** Whether this browser lets a page choose the speaker. */
export const canChooseSpeaker = 'setSinkId' in HTMLMediaElement.prototype;

/** Microphones and speakers. The choice is stored in this browser. */
export const devices = new Store<Devices>({
  microphones: [],
  speakers: [],
  microphone: readPreference('microphone'),
  speaker: readPreference('speaker'),
});

/** Reads the list of devices. Browsers reveal their names only after the user has allowed a microphone. */
export async function refreshDevices(): Promise<void> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  // Chrome lists the system default a second time as 'default'; without permission there are no ids.
  const named = all.filter(({ deviceId }) => deviceId !== '' && deviceId !== 'default');
  const microphones = named.filter(({ kind }) => kind === 'audioinput');
  const speakers = named.filter(({ kind }) => kind === 'audiooutput');
  const { microphone, speaker } = devices.get();
  const ifPresent = (list: MediaDeviceInfo[], id: string) =>
    list.some(({ deviceId }) => deviceId === id) ? id : '';
  devices.set({
    microphones,
    speakers,
    microphone: microphones.length ? ifPresent(microphones, microphone) : microphone,
    speaker: speakers.length ? ifPresent(speakers, speaker) : speaker,
  });
}

export function chooseDevice(kind: 'microphone' | 'speaker', id: string): void {
  devices.merge({ [kind]: id });
  storePreference(kind, id);
}

export function storePreference(key: string, value: string): void {
  try {
    localStorage.setItem(`playground.${key}`, value);
  } catch {
    // Storage is unavailable: the choice lasts until the page is closed.
  }
}

export function readPreference(key: string): string {
  try {
    return localStorage.getItem(`playground.${key}`) ?? '';
  } catch {
    return '';
  }
}
