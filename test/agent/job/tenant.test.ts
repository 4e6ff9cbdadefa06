// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { tenantOf } from '../../../agent/src/job/tenant.js';

it.each([
  ['{"tenant":"acme"}', 'tenant', 'acme'],
  ['{"tenant":" acme "}', 'tenant', 'acme'],
  ['{"tenant":12345678}', 'tenant', '12345678'],
  [
    '{"tenant":"3f2504e0-4f89-11d3-9a0c-0305e82c3301"}',
    'tenant',
    '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
  ],
  [`{"tenant":"${'x'.repeat(500)}"}`, 'tenant', 'x'.repeat(64)],
  ['{"tenant":"+49 151 1234567"}', 'tenant', '***'],
  ['{"tenant":""}', 'tenant', undefined],
  ['{"tenant":{"id":1}}', 'tenant', undefined],
  ['{"other":"acme"}', 'tenant', undefined],
  ['{"tenant":"acme"}', undefined, undefined],
  ['not JSON', 'tenant', undefined],
  ['null', 'tenant', undefined],
  ['', 'tenant', undefined],
])('the tenant of %s by the key %s is %s', (metadata, key, tenant) => {
  expect(tenantOf(metadata, key)).toBe(tenant);
});
