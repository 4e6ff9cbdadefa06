// SPDX-License-Identifier: Apache-2.0

import { expect } from '@jest/globals';
import { DEFAULT_TOKEN_PRICES, tokenCostUsd } from 'livekit-plugin-nova-sonic/models';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** For what must happen at some time: long enough for a machine that is busy with other things. */
export const PATIENCE_MS = 60_000;

/** A fresh visitor with the page open, and the errors of the page so far. */
export async function newPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    acceptDownloads: true,
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(url);
  return { page, errors };
}

export async function call(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Call( again)?$/ }).click();
}

/** Waits until the page shows this state of the call. */
export async function stateIs(page: Page, state: string, timeout = PATIENCE_MS): Promise<void> {
  await page.getByTestId('state').filter({ hasText: state }).waitFor({ timeout });
}

/** Waits for a problem that the page names so. @returns all that it says of it */
export async function problem(page: Page, title: string, timeout = PATIENCE_MS): Promise<string> {
  const found = page.locator('.problem', { hasText: title });
  await found.waitFor({ timeout });
  return found.innerText();
}

/** Loudness of one side as the page has it now, 0 to 100. */
export async function level(page: Page, who: 'you' | 'agent'): Promise<number> {
  return Number(await page.getByTestId(`level-${who}`).getAttribute('aria-valuenow'));
}

/** The agent has said something to its end, and listens; it also listens when its sound has a gap. */
export async function hasSaid(page: Page, words: RegExp): Promise<void> {
  await expectText(page.getByRole('log'), words);
  await stateIs(page, 'Listening');
}

/** Waits for a caption of one side whose words fit. */
export async function captionSays(page: Page, who: 'you' | 'agent', words: RegExp): Promise<void> {
  const text = page.locator(`.words.${who} .text`).filter({ hasText: words });
  await text.first().waitFor({ timeout: PATIENCE_MS });
}

/** One side is heard: its sound, as the page has it, has energy. */
export async function louder(page: Page, who: 'you' | 'agent', than: number): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while ((await level(page, who)) < than) {
    if (Date.now() > deadline) throw new Error(`No sound of ${who} came.`);
    await page.waitForTimeout(50);
  }
}

/** Waits until a text is as it should be. */
export async function expectText(
  locator: { innerText(): Promise<string> },
  words: RegExp,
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const text = await locator.innerText();
    if (words.test(text)) return;
    if (Date.now() > deadline) throw new Error(`"${text}" never became ${words}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Goes to a control by the Tab key alone. */
export async function tabTo(page: Page, control: string): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    if ((await focused(page)).startsWith(control)) return;
  }
  throw new Error(`The Tab key does not lead to "${control}".`);
}

/** Name of the control that has the keyboard's focus. */
export async function focused(page: Page): Promise<string> {
  const name = await page.evaluate(
    'document.activeElement?.ariaLabel || document.activeElement?.textContent || ""',
  );
  return String(name).trim();
}

/** Notes what moves that nobody touched, as the browser itself measures it. */
export async function watchLayout(page: Page): Promise<void> {
  await page.evaluate(`
    window.moved = [];
    const name = ({ node }) => node?.className || node?.parentElement?.className || node?.nodeName;
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput, sources } of list.getEntries())
        if (!hadRecentInput) window.moved.push({ value, what: sources.map(name).join(', ') });
    }).observe({ type: 'layout-shift' });
  `);
}

/** Next to nothing has moved since `watchLayout`: less than a hundredth of the screen. */
export async function expectNothingMoved(page: Page): Promise<void> {
  const moved = (await page.evaluate('window.moved')) as { value: number; what: string }[];
  const sum = moved.reduce((total, { value }) => total + value, 0);
  if (sum >= 0.01) throw new Error(`Something moved on the page: ${JSON.stringify(moved)}`);
}

/** The cost on the page is that of the tokens beside it. */
export async function expectPrice(page: Page): Promise<void> {
  const figures = await page.locator('.tokens').innerText();
  const [audioIn, audioOut, textIn, textOut, cost] = [...figures.matchAll(/\$?[\d.,]+$/gm)].map(
    ([number]) => Number(number.replace(/[$,]/g, '')),
  );
  const usd = tokenCostUsd({ audioIn, audioOut, textIn, textOut }, DEFAULT_TOKEN_PRICES);
  expect(usd).toBeGreaterThan(0);
  // Four digits are shown.
  expect(Math.abs((cost ?? 0) - usd)).toBeLessThan(0.000_06);
}
