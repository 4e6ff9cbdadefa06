// SPDX-License-Identifier: Apache-2.0

/**
 * Sends texts in order; those that cannot be sent yet wait for `flush`. A text counts as sent when the agent has
 * confirmed it: a connection may be dead for a while before anybody notices, and what was sent then is lost.
 */
export class TextOutbox {
  readonly #connected: () => boolean;
  readonly #send: (text: string) => Promise<unknown>;
  #waiting: string[] = [];
  #unconfirmed: string[] = [];

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
      this.#unconfirmed.push(text);
      await this.#send(text);
    }
  }

  /** The agent has received a text. */
  confirm(text: string): void {
    const index = this.#unconfirmed.findIndex((sent) => sent.trim() === text.trim());
    if (index >= 0) this.#unconfirmed.splice(index, 1);
  }

  /** Sends again what the agent has not confirmed; to be called some time after a reconnect. */
  async resend(): Promise<void> {
    this.#waiting = [...this.#unconfirmed, ...this.#waiting];
    this.#unconfirmed = [];
    await this.flush();
  }
}
