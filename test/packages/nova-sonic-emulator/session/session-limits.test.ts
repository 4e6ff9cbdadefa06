// SPDX-License-Identifier: Apache-2.0
// The limits by a clock; limits-over-http2.test.ts has them over a connection.
import { describe, expect, it } from '@jest/globals';
import { LIMIT_DEFAULTS } from '../../../../packages/nova-sonic-emulator/src/options.js';
import { SessionLimits } from '../../../../packages/nova-sonic-emulator/src/session/session-limits.js';
import { ManualClock } from '../../../support/manual-clock.js';

describe('the time limits of a session', () => {
  /** The messages of the errors, with the second at which they came. */
  async function run(act: (limits: SessionLimits, clock: ManualClock) => Promise<void>) {
    const clock = new ManualClock();
    const ends: string[] = [];
    const limits = new SessionLimits(
      clock,
      LIMIT_DEFAULTS,
      (error) => {
        ends.push(`${clock.now() / 1000}: ${error.type}: ${error.message}`);
        limits.close();
      },
      () => {},
    );
    await act(limits, clock);
    expect(clock.pending).toBe(0);
    return ends;
  }

  it('end it after 480.5 s, whatever the client sends', async () => {
    const ends = await run(async (limits, clock) => {
      for (let second = 0; second < 500; second++) {
        limits.interaction();
        await clock.pass(1000);
      }
    });
    expect(ends).toEqual([
      '480.5: modelTimeoutException: Model has timed out in processing the request. Try your request again.',
    ]);
  });

  it('end it 55 s after the last audio or interactive content', async () => {
    const ends = await run(async (limits, clock) => {
      await clock.pass(50_000);
      limits.audio();
      await clock.pass(54_000);
      limits.interaction();
      await clock.pass(60_000);
    });
    expect(ends).toEqual([
      '159: validationException: Timed out waiting for audio bytes or interactive content. Please ensure gaps ' +
        'between audio bytes and interactive content are less than 55 seconds',
    ]);
  });

  it('send the headers after 20 s, also where nothing came', async () => {
    const clock = new ManualClock();
    const sent: number[] = [];
    const limits = new SessionLimits(
      clock,
      LIMIT_DEFAULTS,
      () => {},
      () => sent.push(clock.now()),
    );
    await clock.pass(30_000);
    expect(sent).toEqual([20_000]);
    limits.close();
    expect(clock.pending).toBe(0);
  });

  it('are over with the session, also when that ends between two of them', async () => {
    expect(
      await run(async (limits, clock) => {
        await clock.pass(40_000);
        limits.audio();
        await clock.pass(20_000);
        limits.close();
        await clock.pass(600_000);
      }),
    ).toEqual([]);
  });

  it('end it 295 s after the last speech, while silence is sent', async () => {
    const ends = await run(async (limits, clock) => {
      await clock.pass(10_000);
      limits.interaction();
      for (let second = 0; second < 300; second++) {
        limits.audio();
        await clock.pass(1000);
      }
    });
    expect(ends).toEqual([
      '305: validationException: Timed out waiting for audio bytes or interactive content. Please ensure gaps ' +
        'between audio bytes and interactive content are less than 295 seconds',
    ]);
  });
});
