// SPDX-License-Identifier: Apache-2.0

/** An AudioSource that takes what is played in real time. */
export class FakeAudioSource {
  static open = 0;
  static played: number[] = [];
  static broken = false;
  #until = 0;

  constructor(
    readonly rate: number,
    readonly channels: number,
    readonly queueMs: number,
  ) {
    FakeAudioSource.open += 1;
  }

  static reset() {
    Object.assign(FakeAudioSource, { open: 0, played: [], broken: false });
  }

  async captureFrame({ data }: { data: Int16Array }) {
    if (FakeAudioSource.broken) throw new Error('the connection has gone');
    for (const sample of data) FakeAudioSource.played.push(sample);
    this.#until = Math.max(this.#until, Date.now()) + (data.length * 1_000) / this.rate;
    const wait = this.#until - Date.now() - this.queueMs;
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }

  clearQueue() {
    this.#until = Date.now();
  }

  async waitForPlayout() {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, this.#until - Date.now())));
  }

  async close() {
    FakeAudioSource.open -= 1;
  }
}
