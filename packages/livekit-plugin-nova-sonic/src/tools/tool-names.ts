// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

/** Longest name that Bedrock takes. */
const MAX_LENGTH = 64;
/** Source: Bedrock API reference, ToolSpecification.name. */
const VALID = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * The names of tools as Bedrock takes them, and back: other characters become `_`, long names are cut, and a name that
 * had to be changed ends with a hash where it would be another tool's. Names stay known for calls on an earlier stream.
 */
export class ToolNames {
  readonly #toWire = new Map<string, string>();
  readonly #fromWire = new Map<string, string>();

  /** Names that are declared together: those that are valid keep themselves. */
  declare(names: readonly string[]): void {
    for (const valid of [true, false])
      for (const name of names) if (VALID.test(name) === valid) this.toWire(name);
  }

  /** The name that is declared to the service. */
  toWire(name: string): string {
    const known = this.#toWire.get(name);
    if (known !== undefined) return known;
    const wire = this.#free(name);
    this.#toWire.set(name, wire);
    this.#fromWire.set(wire, name);
    return wire;
  }

  /** The tool that the service means. */
  fromWire(wire: string): string {
    return this.#fromWire.get(wire) ?? wire;
  }

  #free(name: string): string {
    const plain = name.replace(/[^a-zA-Z0-9_-]/g, '_') || '_';
    const cut = plain.slice(0, MAX_LENGTH);
    // A valid name keeps itself; whoever was given it before is a changed one and asks for another on the next stream.
    const owner = this.#fromWire.get(cut);
    if (VALID.test(name)) {
      if (owner !== undefined) this.#toWire.delete(owner);
      return name;
    }
    if (plain.length <= MAX_LENGTH && owner === undefined) return cut;
    const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
    return `${plain.slice(0, MAX_LENGTH - hash.length - 1)}_${hash}`;
  }
}
