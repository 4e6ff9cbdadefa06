// SPDX-License-Identifier: Apache-2.0

/** A cell on one line, with vertical bars and what would read as an HTML tag escaped. */
const escaped = (text: string): string =>
  text
    .replaceAll('|', '\\|')
    .replace(/(`[^`]*`)|<(?=\w)/g, (_, codeSpan) => codeSpan ?? '&lt;')
    .replace(/\s+/g, ' ')
    .trim();

/** A Markdown table. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text in code style; empty text stays empty. */
export const code = (text: string): string => (text ? `\`${text}\`` : '');

/** A sentence without its final period, as table cells have it. */
export const cell = (sentence: string): string => sentence.replace(/\.$/, '');

/** The first letter in capitals. */
export const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
