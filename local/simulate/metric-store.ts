// SPDX-License-Identifier: Apache-2.0

/** The resolution in which metrics are kept. */
const BUCKET_S = 10;

interface Bucket {
  sum: number;
  count: number;
}

/** CloudWatch: sums and counts in periods of ten seconds. */
export class MetricStore {
  readonly #buckets = new Map<string, Bucket[]>();

  add(name: string, value: number, now: number): void {
    const buckets = this.#buckets.get(name) ?? [];
    this.#buckets.set(name, buckets);
    const index = Math.floor(now / BUCKET_S);
    const bucket = buckets[index] ?? { sum: 0, count: 0 };
    buckets[index] = bucket;
    bucket.sum += value;
    bucket.count += 1;
  }

  /** A value over the period from `from`; undefined without data. */
  read(name: string, statistic: 'Average' | 'Sum', from: number, seconds: number) {
    const buckets = this.#buckets.get(name) ?? [];
    let sum = 0;
    let count = 0;
    for (let at = from; at < from + seconds; at += BUCKET_S) {
      const bucket = buckets[at / BUCKET_S];
      sum += bucket?.sum ?? 0;
      count += bucket?.count ?? 0;
    }
    if (count === 0) return undefined;
    return statistic === 'Sum' ? sum : sum / count;
  }
}
