// SPDX-License-Identifier: Apache-2.0

/** A field: `*`, or values, ranges and steps, separated by commas. */
function field(values: string): string {
  const part = `(\\*|(${values})(-(${values}))?)(/\\d+)?`;
  return `${part}(,${part})*`;
}

const MINUTE = field('[0-5]?\\d');
const HOUR = field('[01]?\\d|2[0-3]');
const DAY_OF_MONTH = `${field('0?[1-9]|[12]\\d|3[01]')}|L|LW|\\d+W`;
const MONTH = field('0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC');
const DAY_OF_WEEK = `${field('[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT')}|L|[1-7]L|[1-7]#[1-5]`;

const DAYS = `(${DAY_OF_MONTH}) (${MONTH}) \\?|\\? (${MONTH}) (${DAY_OF_WEEK})`;
const CRON = new RegExp(`^(${MINUTE}) (${HOUR}) (${DAYS})$`);

/** Whether AWS accepts these five fields: minute, hour, day of the month, month, day of the week, one of the days a `?`. */
export function isCron(text: string): boolean {
  return CRON.test(text);
}
