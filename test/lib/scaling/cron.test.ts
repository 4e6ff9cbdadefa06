// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { isCron } from '../../../lib/scaling/cron.js';

describe('a cron expression of five fields', () => {
  test.each([
    '0 8 ? * MON-FRI',
    '30 7 ? * 2-6',
    '0 10 ? * SAT,SUN',
    '59 23 31 12 ?',
    '*/15 0/2 ? * *',
    '0,30 8-18 1,15 JAN-MAR,DEC ?',
    '5 09 L * ?',
    '0 0 LW 1/3 ?',
    '0 0 15W 2 ?',
    '0 0 ? * 6L',
    '0 0 ? * L',
    '0 0 ? * 3#2',
  ])('%s is one', (cron) => {
    expect(isCron(cron)).toBe(true);
  });

  test.each([
    ['no field', ''],
    ['four fields', '0 8 ? *'],
    ['a sixth field', '0 8 ? * MON-FRI *'],
    ['both days', '0 8 1 * MON'],
    ['neither day', '0 8 ? * ?'],
    ['the minute 60', '60 8 ? * *'],
    ['the hour 24', '0 24 ? * *'],
    ['the day 0', '0 8 0 * ?'],
    ['the day 32', '0 8 32 * ?'],
    ['the month 13', '0 8 1 13 ?'],
    ['a month that is none', '0 8 1 JANUARY ?'],
    ['the weekday 0', '0 8 ? * 0'],
    ['the weekday 8', '0 8 ? * 8'],
    ['a sixth week', '0 8 ? * 2#6'],
    ['small letters', '0 8 ? * mon-fri'],
    ['two blanks', '0  8 ? * *'],
    ['an end that is missing', '0 8- ? * *'],
    ['something before', 'cron(0 8 ? * *'],
    ['something behind', '0 8 ? * *)'],
  ])('with %s is none', (_what, cron) => {
    expect(isCron(cron)).toBe(false);
  });
});
