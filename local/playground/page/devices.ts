// SPDX-License-Identifier: Apache-2.0

import { Store } from './store.js';

export interface Devices {
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
  /** Ids; '' is what the system chooses. */
  microphone: string;
  speaker: string;
}

/** Whether this browser lets a page choose where it is heard. */
export const speakersCanBeChosen = 'setSinkId' in HTMLMediaElement.prototype;

/** What can be heard with and spoken to. The choice is remembered in this browser. */
export const devices = new Store<Devices>({
  microphones: [],
  speakers: [],
  microphone: remembered('microphone'),
  speaker: remembered('speaker'),
});

/** Reads the devices anew. Browsers tell their names only once a microphone was allowed. */
export async function refreshDevices(): Promise<void> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  // Chrome lists the system's choice once more, as 'default'; without permission there are no ids.
  const named = all.filter(({ deviceId }) => deviceId !== '' && deviceId !== 'default');
  const microphones = named.filter(({ kind }) => kind === 'audioinput');
  const speakers = named.filter(({ kind }) => kind === 'audiooutput');
  const { microphone, speaker } = devices.get();
  const still = (list: MediaDeviceInfo[], id: string) =>
    list.some(({ deviceId }) => deviceId === id) ? id : '';
  devices.set({
    microphones,
    speakers,
    microphone: microphones.length ? still(microphones, microphone) : microphone,
    speaker: speakers.length ? still(speakers, speaker) : speaker,
  });
}

export function choose(kind: 'microphone' | 'speaker', id: string): void {
  devices.merge({ [kind]: id });
  remember(kind, id);
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`playground.${key}`, value);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

export function remembered(key: string): string {
  try {
    return localStorage.getItem(`playground.${key}`) ?? '';
  } catch {
    return '';
  }
}
