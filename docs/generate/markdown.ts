// SPDX-License-Identifier: Apache-2.0

/** A Markdown table. Vertical bars in cells are escaped. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\s+/g, ' ').trim()).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text in code style; empty text stays empty. */
export const code = (text: string): string => (text ? `\`${text}\`` : '');

/** A sentence without its final period, as table cells have it. */
export const cell = (sentence: string): string => sentence.replace(/\.$/, '');

/** The first letter in capitals. */
export const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
