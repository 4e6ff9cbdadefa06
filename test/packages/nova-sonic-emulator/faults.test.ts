// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  checkFault,
  exceptionOf,
  FAULT_KINDS,
  type Fault,
  FaultSet,
  parseFault,
} from '../../../packages/nova-sonic-emulator/src/faults.js';

describe('faults as flags', () => {
  it.each<[string, Fault]>([
    ['throttle', { kind: 'throttle' }],
    ['throttle:times=3', { kind: 'throttle', times: 3 }],
    [
      'exception:type=modelTimeoutException,after=audioOutput#3',
      { kind: 'exception', type: 'modelTimeoutException', after: 'audioOutput#3' },
    ],
    ['reset:after=12,code=8', { kind: 'reset', after: 12, code: 8 }],
    ['stall:durationMs=1.25', { kind: 'stall', durationMs: 1.25 }],
    ['exception:message=5 of 6', { kind: 'exception', message: '5 of 6' }],
    ['exception:message=x=y', { kind: 'exception', message: 'x=y' }],
    ['exception:message=a: b', { kind: 'exception', message: 'a: b' }],
  ])('%s', (flag, fault) => {
    expect(parseFault(flag)).toEqual(fault);
  });

  it.each([
    ['explode', /fault "explode" is unknown; there are throttle, /],
    ['reset:after=', /fault reset: after: /],
    ['reset:code', /fault reset: "code" is not name=value/],
    ['late-headers', /fault late-headers: delayMs: /],
    ['throttle:times=0', /fault throttle: times: /],
    ['malformed:form=round', /fault malformed: form: /],
  ])('%s is rejected with a message that names the field', (flag, message) => {
    expect(() => parseFault(flag)).toThrow(message);
  });

  it('every kind is in the README', () => {
    const path = '../../../packages/nova-sonic-emulator/README.md';
    const readme = readFileSync(new URL(path, import.meta.url), 'utf8');
    const [, table = ''] = readme.split('## Faults');
    const kinds = [...table.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, kind]) => kind);
    expect(kinds.sort()).toEqual([...FAULT_KINDS].sort());
  });

  it('null is not a fault', () => {
    expect(() => checkFault(null)).toThrow('unknown');
  });
});

describe('the faults that are set', () => {
  it('strike as often as they say, each by itself, and are gone after that', () => {
    const set = new FaultSet();
    const twice = set.set({ kind: 'throttle', times: 2 });
    const once = set.set({ kind: 'reset' });
    expect(once).not.toBe(twice);
    expect(set.list()).toEqual([
      { id: twice, fault: { kind: 'throttle', times: 2 }, left: 2 },
      { id: once, fault: { kind: 'reset' }, left: 1 },
    ]);
    const [throttle, reset] = [...set.list()];
    const left = [throttle, reset, throttle].map((entry) => {
      if (entry) set.strike(entry);
      return set.list().map(({ id }) => id);
    });
    expect(left).toEqual([[twice, once], [twice], []]);
  });

  it('are checked when they are set', () => {
    const set = new FaultSet();
    expect(() => set.set({ kind: 'stall' } as Fault)).toThrow('fault stall: durationMs: ');
    expect(set.list()).toEqual([]);
  });

  it('are removed one by one or all at once; only one that is not there is none', () => {
    const set = new FaultSet();
    const ids = [1, 2, 3].map(() => set.set({ kind: 'reset' }));
    expect(set.clear(ids[1])).toBe(true);
    expect(set.clear(ids[1])).toBe(false);
    expect(set.list().map(({ id }) => id)).toEqual([ids[0], ids[2]]);
    expect(set.clear()).toBe(true);
    expect(set.list()).toEqual([]);
    expect(set.clear()).toBe(true);
  });

  it.each<[Fault, number, string, RegExp]>([
    [{ kind: 'throttle' }, 429, 'ThrottlingException', /^Too many requests/],
    [{ kind: 'access-denied' }, 403, 'AccessDeniedException', /access/],
    [{ kind: 'model-not-ready' }, 429, 'ModelNotReadyException', /not ready/],
    [{ kind: 'http', status: 503, type: 'Busy', message: 'later' }, 503, 'Busy', /^later$/],
    [{ kind: 'http', status: 500, type: 'Busy' }, 500, 'Busy', /^Busy$/],
  ])('%j refuses one request, and no fault of a stream does', (fault, status, type, message) => {
    const set = new FaultSet();
    set.set({ kind: 'reset' });
    set.set(fault);
    expect(set.atConnect()).toMatchObject({
      status,
      type,
      message: expect.stringMatching(message),
    });
    expect(set.atConnect()).toBeUndefined();
    expect(set.list()).toHaveLength(1);
  });

  it('send the text that belongs to an exception, unless they have one of their own', () => {
    const kind = 'exception';
    const standard = exceptionOf({ kind });
    expect(standard.type).toBe('internalServerException');
    expect(standard.message).toMatch(/unexpected error/);
    expect(exceptionOf({ kind, type: 'modelTimeoutException' }).message).toMatch(/timed out/);
    expect(exceptionOf({ kind, type: 'brandNew' })).toEqual({
      type: 'brandNew',
      message: 'brandNew',
    });
    expect(exceptionOf({ kind, message: 'mine' }).message).toBe('mine');
  });
});
