// SPDX-License-Identifier: Apache-2.0

import { parsePhoneNumber } from '../../../local/phone/phone-number.js';

describe('parsePhoneNumber', () => {
  it.each(['+15551234567', '+4930123456', '+123456789012345'])('accepts %s', (number) => {
    expect(parsePhoneNumber(number)).toBe(number);
  });

  it.each([
    ['+1 (555) 123-4567', 'write +15551234567'],
    ['0049 30 123456', 'write +4930123456'],
    ['5551234567', 'write a plus, the country code'],
    ['030 123456', 'write a plus, the country code'],
    ['+1234567890123456', 'write a plus, the country code'],
    ['sip:bob@example.com', 'write a plus, the country code'],
    ['', 'write a plus, the country code'],
  ])('refuses "%s" and says how to write it', (text, how) => {
    expect(() => parsePhoneNumber(text)).toThrow(how);
  });
});
