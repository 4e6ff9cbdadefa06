// SPDX-License-Identifier: Apache-2.0
import type { SystemEntry, UserEntry } from '../history/entries.js';

type Message = UserEntry | SystemEntry;

/** Messages that the application has added to the chat context and that no reply has answered yet. */
export class AddedMessages {
  #messages: Array<{ readonly entry: Message; readonly version: number }> = [];

  /** @param version the version of the conversation that has the message */
  add(entry: Message, version: number): void {
    this.#messages.push({ entry, version });
  }

  /**
   * Takes those that a reply is to answer. What the stream's history has already is sent again only as the question.
   *
   * @param known the version of the conversation that the stream's history has
   * @param instructed the reply has instructions, which are a question of their own
   */
  take(known: number, instructed: boolean): Message[] {
    const messages = this.#messages;
    this.#messages = [];
    const untold = messages.filter(({ version }) => version > known);
    return (untold.length > 0 || instructed ? untold : messages).map(({ entry }) => entry);
  }
}
