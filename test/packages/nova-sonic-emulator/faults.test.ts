// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  checkFault,
  FAULT_KINDS,
  type Fault,
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
