// SPDX-License-Identifier: Apache-2.0

const warned = new Set<string>();

/** Warns once per process that a public name has changed. */
export function warnRenamed(oldName: string, newName: string): void {
  if (warned.has(oldName)) return;
  warned.add(oldName);
  console.warn(`nova-sonic-emulator: ${oldName} is deprecated, use ${newName}.`);
}
