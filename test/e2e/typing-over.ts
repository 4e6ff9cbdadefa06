// SPDX-License-Identifier: Apache-2.0

// `npm run test:typing`: questions typed over replies, through the page in a real Chromium, a real LiveKit server, the real
// worker and the emulator behind a network with delay. Prints what went wrong, and ends with 1 if anything did.

import { writeFileSync } from 'node:fs';
import { Command as Program } from 'commander';
import type { Page } from 'playwright-core';
import seedrandom from 'seedrandom';
import { findChromium, installMicrophone, launch } from './browser.js';
import { Command, ROOT } from './support.js';

/** An answer that has not begun to be heard by then is none; on a machine that is busy with other things it takes long. */
const ANSWER_MS = 40_000;
/** The next question comes this much after the answer began, at most. */
const LONGEST_MS = 1_500;
const READY_MS = 60_000;

const flags = new Program('test:typing')
  .description('Types questions over replies through the page, and counts what went wrong.')
  .option('--questions <number>', 'for each delay', Number, 200)
  .option(
    '--delays <list>',
    'ms each way between the worker and the emulator, with a third of it as jitter',
    (text: string) => text.split(',').map(Number),
    [20, 60, 150],
  )
  .option('--log <file>', "where to keep the agent's log")
  .option('--seed <text>', 'of the pauses between questions', 'typing')
  .parse()
  .opts<{ questions: number; delays: number[]; seed: string; log?: string }>();

interface Outcome {
  delayMs: number;
  questions: number;
  /** Their own answer was not heard in time. */
  withoutAnswer: number[];
  /** More than one reply says that it answers them. */
  answeredTwice: number[];
  bargeIns: number;
  /** What the page shows as said by the caller, who never spoke. */
  spoken: number;
  /** From the Enter key to the first words of the answer on the page, ms. */
  medianMs: number;
}

/** The replies on the page so far, as they are shown. */
const replies = (page: Page) => page.locator('.words.agent .text').allInnerTexts();
const answers = (n: number) => new RegExp(`answer to question ${n}\\b`);

async function typeOver(page: Page, delayMs: number, questions: number): Promise<Outcome> {
  // A microphone that is silent: Chromium's own beeps.
  await installMicrophone(page);
  const random = seedrandom(`${flags.seed} ${delayMs}`);
  await page.getByRole('button', { name: /^Call( again)?$/ }).click();
  await page.locator('.words.agent .text', { hasText: 'Hello' }).waitFor({ timeout: READY_MS });
  const input = page.getByLabel('Write to the agent');
  const withoutAnswer: number[] = [];
  const times: number[] = [];
  for (let n = 1; n <= questions; n += 1) {
    await input.fill(`question ${n}`);
    const typedAt = performance.now();
    await input.press('Enter');
    const answer = page.locator('.words.agent .text').filter({ hasText: answers(n) });
    try {
      await answer.first().waitFor({ timeout: ANSWER_MS });
      times.push(performance.now() - typedAt);
    } catch {
      withoutAnswer.push(n);
      const last = (await replies(page)).slice(-2);
      process.stdout.write(
        `${delayMs} ms: question ${n} has no answer, last: ${last.join(' | ')}\n`,
      );
    }
    if (n % 10 === 0) process.stdout.write(`${delayMs} ms: ${n} questions\n`);
    await page.waitForTimeout(random() * LONGEST_MS);
  }
  await page.waitForTimeout(3_000);
  const said = await replies(page);
  const answeredTwice = Array.from({ length: questions }, (_, i) => i + 1).filter(
    (n) => said.filter((text) => answers(n).test(text)).length > 1,
  );
  const bargeIns = await page.locator('.timeline .mark.barge_in').count();
  const spoken = (await page.locator('.words.you .text').allInnerTexts()).filter(
    (text) => !/^question \d+$/.test(text.trim()),
  );
  await page.getByRole('button', { name: 'Hang up' }).click();
  const medianMs = Math.round(times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0);
  return {
    delayMs,
    questions,
    withoutAnswer,
    answeredTwice,
    bargeIns,
    spoken: spoken.length,
    medianMs,
  };
}

async function main(): Promise<number> {
  const chromium = findChromium();
  if (!chromium) return 1;
  const start = new Command('start', [
    '--scenario',
    `${ROOT}test/e2e/typing-over.scenario.yaml`,
    ...['--port', '0', '--verbose'],
  ]);
  const control = await start.line(/control API: (http:\/\/127\.0\.0\.1:\d+)/);
  const [controlUrl] = /http:\/\/127\.0\.0\.1:\d+(?=\))/.exec(control) ?? [];
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(await start.line(/^Open /)) ?? [];
  const browser = await launch(chromium);
  try {
    let wrong = 0;
    for (const delayMs of flags.delays) {
      await fetch(`${controlUrl}/network`, {
        method: 'PATCH',
        body: JSON.stringify({ latencyMs: delayMs, jitterMs: Math.round(delayMs / 3) }),
        headers: { 'content-type': 'application/json' },
      }).then((response) => {
        if (!response.ok) throw new Error(`The emulator refused the delay: ${response.status}.`);
      });
      const page = await browser.newPage();
      await page.goto(url);
      const outcome = await typeOver(page, delayMs, flags.questions);
      await page.close();
      process.stdout.write(`${JSON.stringify(outcome)}\n`);
      const { withoutAnswer, answeredTwice, bargeIns, spoken } = outcome;
      wrong += withoutAnswer.length + answeredTwice.length + bargeIns + spoken;
    }
    return wrong === 0 ? 0 : 1;
  } finally {
    await browser.close();
    start.interrupt();
    await start.exited;
    if (flags.log) writeFileSync(flags.log, start.stderr);
  }
}

process.exit(await main());
