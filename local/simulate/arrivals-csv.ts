// SPDX-License-Identifier: Apache-2.0

import { parse } from 'csv-parse/sync';
import { z } from 'zod';

const rows = z
  .array(z.object({ seconds: z.coerce.number().min(0), calls: z.coerce.number().min(0) }))
  .min(1);

/** Arrivals of an operator's own: at each time, the calls in progress that the rate of callers amounts to. */
export interface CsvArrivals {
  /** Calls in progress at a second, between the times of the file on a straight line. */
  readonly calls: (second: number) => number;
  readonly most: number;
  readonly seconds: number;
}

/**
 * Reads a CSV file with the columns `seconds` and `calls`.
 * @throws Error with one sentence when it has other columns or values
 */
export function parseArrivals(text: string): CsvArrivals {
  const parsed = rows.safeParse(parse(text, { columns: true, trim: true, skip_empty_lines: true }));
  if (!parsed.success) {
    throw new Error(
      'The CSV file needs a header with the columns "seconds" and "calls", and numbers from 0 on below it.',
    );
  }
  const points = parsed.data.sort((a, b) => a.seconds - b.seconds);
  const last = points.at(-1) as (typeof points)[number];
  return {
    calls: (second) => {
      const next = points.findIndex(({ seconds }) => seconds > second);
      const [a, b] = [points[next - 1], points[next]];
      if (!b) return last.calls;
      if (!a) return b.calls;
      return a.calls + ((b.calls - a.calls) * (second - a.seconds)) / (b.seconds - a.seconds);
    },
    most: Math.max(...points.map(({ calls }) => calls)),
    seconds: last.seconds,
  };
}
