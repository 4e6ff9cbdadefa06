// SPDX-License-Identifier: Apache-2.0

/** ITU-T E.164: a plus and at most 15 digits, the first of them not 0. The shortest with a country code have 7. */
const E164 = /^\+[1-9]\d{6,14}$/;

/**
 * Reads a telephone number in E.164 form, which is how LiveKit and the providers compare them.
 * @throws Error with one sentence that says how to write it
 */
export function parsePhoneNumber(text: string): string {
  if (E164.test(text)) return text;
  const bare = text.replace(/[\s().-]/g, '').replace(/^00/, '+');
  const how = E164.test(bare)
    ? `write ${bare}`
    : 'write a plus, the country code and the number without spaces, like +15551234567';
  throw new Error(`"${text}" is not a telephone number in E.164 form: ${how}.`);
}
