// SPDX-License-Identifier: Apache-2.0

// `npm run test:typing`: questions typed over replies, through the page in a real Chromium, a real LiveKit server, the real
// worker and the emulator behind a network with delay. Prints what went wrong, and ends with 1 if anything did.

import { writeFileSync } from 'node:fs';
import { Option, Command as Program } from 'commander';
import type { Browser, Page } from 'playwright-core';
import seedrandom from 'seedrandom';
import { findChromium, installMicrophone, launch } from './browser.js';
import { Command, ROOT } from './support.js';

/** An answer that has not begun to be heard by then is none; on a machine that is busy with other things it takes long. */
const ANSWER_MS = 120_000;
/** The next question comes this much after the answer began, at most. */
const LONGEST_MS = 1_500;
const READY_MS = 180_000;

const flags = new Program('test:typing')
  .description('Types questions over replies through the page, and counts what went wrong.')
  .option('--questions <number>', 'for each delay', Number, 200)
  .addOption(
    new Option(
      '--delays <list>',
      'ms each way between the worker and the emulator, with a third of it as jitter',
    )
      .argParser((text) => text.split(',').map(Number))
      .default([0, 20, 60, 150], '0,20,60,150'),
  )
  .option('--pages <number>', 'that type at once, each in a call of its own', Number, 4)
  .option('--log <file>', "where to keep the agent's log")
  .option('--seed <text>', 'of the pauses between questions', 'typing')
  .parse()
  .opts<{ questions: number; delays: number[]; pages: number; seed: string; log?: string }>();

interface Outcome {
  questions: number;
  /** Their own answer was not heard in time: `page:question`. */
  withoutAnswer: string[];
  /** More than one reply says that it answers them. */
  answeredTwice: string[];
  bargeIns: number;
  /** What the page shows as said by the caller, who never spoke. */
  spoken: number;
  /** From the Enter key to the first words of each answer on the page, ms. */
  times: number[];
}

/** The replies on the page so far, as they are shown. */
const replies = (page: Page) => page.locator('.words.agent .text').allInnerTexts();
const answers = (n: number) => new RegExp(`answer to question ${n}\\b`);

async function typeOver(
  page: Page,
  name: string,
  questions: number,
  random: () => number,
): Promise<Outcome> {
  // A microphone that is silent: Chromium's own beeps.
  await installMicrophone(page);
  await page.getByRole('button', { name: /^Call( again)?$/ }).click();
  await page.locator('.words.agent .text', { hasText: 'Hello' }).waitFor({ timeout: READY_MS });
  const input = page.getByLabel('Write to the agent');
  const withoutAnswer: string[] = [];
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
      withoutAnswer.push(`${name}:${n}`);
      const last = (await replies(page)).slice(-2);
      process.stdout.write(`${name}: question ${n} has no answer, last: ${last.join(' | ')}\n`);
    }
    if (n % 10 === 0) process.stdout.write(`${name}: ${n} questions\n`);
    await page.waitForTimeout(random() * LONGEST_MS);
  }
  await page.waitForTimeout(3_000);
  const said = await replies(page);
  const answeredTwice = Array.from({ length: questions }, (_, i) => i + 1)
    .filter((n) => said.filter((text) => answers(n).test(text)).length > 1)
    .map((n) => `${name}:${n}`);
  const bargeIns = await page.locator('.timeline .mark.barge_in').count();
  const spoken = (await page.locator('.words.you .text').allInnerTexts()).filter(
    (text) => !/^question \d+$/.test(text.trim()),
  );
  await page.getByRole('button', { name: 'Hang up' }).click();
  return { questions, withoutAnswer, answeredTwice, bargeIns, spoken: spoken.length, times };
}

/** The questions of one delay, shared out among the pages. */
async function typeOverAll(browser: Browser, url: string, delayMs: number): Promise<Outcome> {
  const outcomes = await Promise.all(
    Array.from({ length: flags.pages }, async (_, i) => {
      // Its own context: a page in the background of another is slowed down.
      const context = await browser.newContext({ permissions: ['microphone'] });
      context.setDefaultTimeout(READY_MS);
      const page = await context.newPage();
      await page.goto(url);
      const questions =
        Math.floor(flags.questions / flags.pages) + (i < flags.questions % flags.pages ? 1 : 0);
      const random = seedrandom(`${flags.seed} ${delayMs} ${i}`);
      const outcome = await typeOver(page, `${delayMs} ms, page ${i + 1}`, questions, random);
      await context.close();
      return outcome;
    }),
  );
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((n, o) => n + of(o), 0);
  return {
    questions: sum((o) => o.questions),
    withoutAnswer: outcomes.flatMap((o) => o.withoutAnswer),
    answeredTwice: outcomes.flatMap((o) => o.answeredTwice),
    bargeIns: sum((o) => o.bargeIns),
    spoken: sum((o) => o.spoken),
    times: outcomes.flatMap((o) => o.times),
  };
}

function summary(delayMs: number, outcome: Outcome): string {
  const { questions, withoutAnswer, answeredTwice, bargeIns, spoken, times } = outcome;
  const medianMs = Math.round(times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0);
  return [
    `== ${delayMs} ms each way: ${questions} questions`,
    ...[`${withoutAnswer.length} without their own answer`, ...withoutAnswer],
    ...[`${answeredTwice.length} answered twice`, ...answeredTwice],
    `${bargeIns} barge-ins that nobody made`,
    `${spoken} speeches that nobody made`,
    `first words after ${medianMs} ms (median)`,
  ].join(', ');
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
      const outcome = await typeOverAll(browser, url, delayMs);
      const { withoutAnswer, answeredTwice, bargeIns, spoken } = outcome;
      process.stdout.write(`\n${summary(delayMs, outcome)}\n\n`);
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
