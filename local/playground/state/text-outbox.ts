// SPDX-License-Identifier: Apache-2.0

/** Sends texts once and in order; those that cannot be sent yet wait for `flush`. */
export class TextOutbox {
  readonly #connected: () => boolean;
  readonly #send: (text: string) => Promise<unknown>;
  readonly #waiting: string[] = [];

  constructor(connected: () => boolean, send: (text: string) => Promise<unknown>) {
    this.#connected = connected;
    this.#send = send;
  }

  /** Resolves when the text is sent, or waits. */
  async add(text: string): Promise<void> {
    this.#waiting.push(text);
    await this.flush();
  }

  async flush(): Promise<void> {
    while (this.#connected()) {
      const text = this.#waiting.shift();
      if (text === undefined) return;
      await this.#send(text);
    }
  }
}
