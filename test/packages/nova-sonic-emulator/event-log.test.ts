// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { EventLog } from '../../../packages/nova-sonic-emulator/src/event-log.js';

const add = (log: EventLog, name: string, session = 's', content?: string) =>
  log.add(session, 5, 'in', name, content === undefined ? {} : { content });

describe('an event log', () => {
  it('finds past events by name, by fields or by a function, oldest first', () => {
    const log = new EventLog();
    for (const [name, session] of [
      ['a', 's'],
      ['b', 's'],
      ['a', 't'],
    ])
      add(log, name as string, session);
    expect(log.seen('a').map(({ session }) => session)).toEqual(['s', 't']);
    expect(log.seen({ name: 'a', session: 't' })).toHaveLength(1);
    expect(log.seen(({ name }) => name === 'b')).toMatchObject([
      { name: 'b', session: 's', direction: 'in', t: 5, event: {} },
    ]);
    expect(log.seen({ direction: 'out' })).toEqual([]);
  });

  it('keeps the newest 20,000 events', () => {
    const log = new EventLog();
    for (let i = 0; i < 30_001; i++) add(log, String(i));
    expect(log.history).toHaveLength(20_000);
    expect(log.history[0]?.name).toBe('10001');
    expect(log.history.at(-1)?.name).toBe('30000');
  });

  it.each(['audioInput', 'audioOutput'])('has the length of %s instead of its bytes', (name) => {
    const audio = Buffer.alloc(640).toString('base64');
    const log = new EventLog();
    add(log, name, 's', audio);
    add(log, 'textInput', 's', 'Hi.');
    log.add('s', 5, 'in', name, { content: 5 });
    expect(log.history.map(({ event }) => event.content)).toEqual(['<640 bytes>', 'Hi.', 5]);
    const whole = new EventLog(undefined, true);
    add(whole, name, 's', audio);
    expect(whole.history[0]?.event.content).toBe(audio);
  });

  it('gives the next event to who waits for it, and keeps nobody who has it', async () => {
    const log = new EventLog();
    add(log, 'a', 'past');
    const next = log.next('a');
    const until = log.until('a');
    add(log, 'b');
    add(log, 'a', 'future');
    expect((await next).session).toBe('future');
    expect((await until).session).toBe('past');
    const heard: string[] = [];
    const off = log.on(({ name }) => heard.push(name));
    add(log, 'c');
    off();
    add(log, 'd');
    expect(heard).toEqual(['c']);
    expect(listeners(log)).toBe(0);
  });

  it('tells who waited in vain what came instead', async () => {
    const log = new EventLog();
    for (let i = 0; i < 9; i++) add(log, `e${i}`);
    await expect(log.next({ name: 'a' }, 1)).rejects.toThrow(
      '{"name":"a"} did not arrive within 1 ms; last: in e1, in e2, in e3, in e4, in e5, in e6, in e7, in e8',
    );
    await expect(log.next(() => false, 1)).rejects.toThrow('a matching event did not arrive');
    expect(listeners(log)).toBe(0);
  });

  it('is read event by event until it is closed', async () => {
    const log = new EventLog();
    const read: string[] = [];
    const reading = (async () => {
      for await (const { name } of log) read.push(name);
    })();
    add(log, 'a');
    await Promise.resolve();
    add(log, 'b');
    await log.close();
    await reading;
    expect(read).toEqual(['a', 'b']);
    expect(listeners(log)).toBe(0);
  });

  it('is a file of JSON lines that is added to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'event-log-'));
    const path = join(folder, 'events.jsonl');
    try {
      for (const name of ['a', 'b']) {
        const log = new EventLog(path);
        add(log, name);
        await log.close();
      }
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line).name)).toEqual(['a', 'b']);
      expect(() => new EventLog(folder)).toThrow('EISDIR');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** How many still listen. */
function listeners(log: EventLog): number {
  const { emitter } = log as unknown as { emitter: { listenerCount(name: string): number } };
  return emitter.listenerCount('event');
}
