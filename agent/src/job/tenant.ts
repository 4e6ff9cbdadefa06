// SPDX-License-Identifier: Apache-2.0

const MAX_CHARACTERS = 64;
const PHONE_NUMBER = /^\+[\d\s().-]{7,}$/;

/**
 * The tenant of a call: the value of `key` in the metadata of its dispatch (JSON), for logs and traces. Undefined without one.
 * A telephone number, which a log must not have, is masked.
 */
export function tenantOf(metadata: string, key: string | undefined): string | undefined {
  if (!key || !metadata) return undefined;
  let value: unknown;
  try {
    value = (JSON.parse(metadata) as Record<string, unknown> | null)?.[key];
  } catch {
    return undefined;
  }
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const tenant = String(value).trim();
  return PHONE_NUMBER.test(tenant) ? '***' : tenant.slice(0, MAX_CHARACTERS) || undefined;
}
