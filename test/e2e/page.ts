// SPDX-License-Identifier: Apache-2.0

import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

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
export async function stateIs(page: Page, state: string, timeout = 40_000): Promise<void> {
  await page.getByTestId('state').filter({ hasText: state }).waitFor({ timeout });
}

/** Waits for a problem that the page names so. @returns all that it says of it */
export async function problem(page: Page, title: string, timeout = 30_000): Promise<string> {
  const found = page.locator('.problem', { hasText: title });
  await found.waitFor({ timeout });
  return found.innerText();
}

/** Loudness of one side as the page has it now, 0 to 100. */
export async function level(page: Page, who: 'you' | 'agent'): Promise<number> {
  return Number(await page.getByTestId(`level-${who}`).getAttribute('aria-valuenow'));
}
