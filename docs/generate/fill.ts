// SPDX-License-Identifier: Apache-2.0

/** The tables by their names; each is rendered when a page asks for it. */
export type Tables = Readonly<Record<string, () => string>>;

const BLOCK = /^<!-- generated: (\S+) -->\n([\s\S]*?)^<!-- \/generated: (\S+) -->$/gm;
const MARKER = /^<!-- \/?generated: .*$/gm;

/**
 * Replaces what stands between `<!-- generated: NAME -->` and `<!-- /generated: NAME -->`, each on a line of its own.
 * @throws Error with one sentence for an unknown name and for a marker without its counterpart
 */
export function fillTables(page: string, text: string, tables: Tables): string {
  let markers = 0;
  const filled = text.replace(BLOCK, (_, name: string, _old, end: string) => {
    markers += 2;
    if (name !== end) throw new Error(`${page}: the table "${name}" ends as "${end}".`);
    const render = tables[name];
    if (!render) {
      throw new Error(`${page}: no table "${name}"; there are ${Object.keys(tables).join(', ')}.`);
    }
    return `<!-- generated: ${name} -->\n${render()}\n<!-- /generated: ${name} -->`;
  });
  if (text.match(MARKER)?.length !== (markers || undefined)) {
    throw new Error(`${page}: a marker of a generated table has no counterpart.`);
  }
  return filled;
}
