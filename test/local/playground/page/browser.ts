// SPDX-License-Identifier: Apache-2.0
// As much of a browser as the page's modules need. Import it before them.

class FakeStorage {
  readonly #values = new Map<string, string>();
  getItem = (key: string) => this.#values.get(key) ?? null;
  setItem = (key: string, value: string) => void this.#values.set(key, value);
  removeItem = (key: string) => void this.#values.delete(key);
}

/** The microphone and speakers of this machine. */
export const mediaDevices = Object.assign(new EventTarget(), {
  devices: [] as { kind: string; deviceId: string; label: string }[],
  enumerateDevices: async () => mediaDevices.devices,
});
export const navigator = { mediaDevices, onLine: true };
export const browserWindow = new EventTarget();

for (const [name, value] of Object.entries({
  window: browserWindow,
  navigator,
  HTMLMediaElement: class {
    setSinkId() {}
  },
  localStorage: new FakeStorage(),
  sessionStorage: new FakeStorage(),
}))
  Object.defineProperty(globalThis, name, { value, configurable: true });
