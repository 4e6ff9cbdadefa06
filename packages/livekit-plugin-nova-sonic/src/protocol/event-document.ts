// SPDX-License-Identifier: Apache-2.0
/** Reading JSON documents of unknown shape. */

export type Json = Record<string, unknown>;
export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const record = (value: unknown): Json => (isRecord(value) ? value : {});
/** A copy of an event for logs: audio content is replaced by its length in bytes. */
export function withoutAudio(document: unknown): { event: Record<string, unknown> } {
  const events = record(record(document).event);
  const copy: Json = {};
  for (const [name, body] of Object.entries(events)) {
    const content = record(body).content;
    copy[name] =
      (name === 'audioInput' || name === 'audioOutput') && typeof content === 'string'
        ? { ...record(body), content: Buffer.byteLength(content, 'base64') }
        : body;
  }
  return { event: copy };
}
