// SPDX-License-Identifier: Apache-2.0

// What the page says, and does, when something goes wrong: in a real Chromium against a real LiveKit server.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type BrowserServer, type Page, chromium as playwright } from 'playwright-core';
import { startLiveKitServer } from '../../local/livekit/server.js';
import { buildPage } from '../../local/playground/build-page.js';
import { servePage } from '../../local/playground/serve.js';
import { concurrently } from '../support/concurrent.js';
import { findChromium, launch, launchOptions, picture, seriousFaults, silence } from './browser.js';
import { call, newPage, PATIENCE_MS, problem, stateIs } from './page.js';
import { Command, ROOT } from './support.js';

jest.setTimeout(240_000);

const chromium = findChromium();
const onlyWithChromium = chromium ? describe : describe.skip;
const SCENARIO = join(ROOT, 'test/e2e/playground-trouble.scenario.yaml');
const quiet = () => {};

/** Starts while the first test runs. */
let start: Command;
beforeAll(() => {
  const args = ['--scenario', SCENARIO, '--verbose', '--port', '0'];
  if (chromium) start = new Command('start', args);
});
afterAll(async () => {
  start?.interrupt();
  await start?.exited;
});

onlyWithChromium('a call that cannot work', () => {
  it('shows what to do: no agent, wrong keys, no LiveKit, no server', async () => {
    await buildPage(quiet);
    const livekit = await startLiveKitServer({ onStatus: quiet });
    const { url, apiKey, apiSecret } = livekit;
    const name = 'a LiveKit server without an agent';
    const page = { kind: 'emulator', name, port: 0 } as const;
    const right = await servePage({ ...page, livekit: { url, apiKey, apiSecret } });
    const stopped = await servePage({ ...page, livekit: { url, apiKey, apiSecret } });
    const wrong = await servePage({ ...page, livekit: { url, apiKey, apiSecret: 'x'.repeat(32) } });
    const browser = await launch(chromium ?? '');
    try {
      const { page: tab } = await newPage(browser, right.url);
      await call(tab);

      const { page: refused } = await newPage(browser, wrong.url);
      await call(refused);
      await problem(refused, 'LiveKit rejected the call');
      await stateIs(refused, 'Ready to call');

      expect(await problem(tab, 'No agent has joined the call')).toContain('npm start');
      await picture(tab, 'no-agent');
      expect(await seriousFaults(tab)).toEqual([]);
      await tab.getByRole('button', { name: 'Hang up' }).click();
      await stateIs(tab, 'Call ended');

      // Ctrl-C in the terminal, in the middle of a call.
      const { page: cut } = await newPage(browser, stopped.url);
      await call(cut);
      await cut.getByRole('timer').filter({ hasText: '0:01' }).waitFor();
      await stopped.stop();
      await livekit.stop();
      await problem(cut, 'The command behind this page has stopped');
      await stateIs(cut, 'Call ended');

      await call(tab);
      expect(await problem(tab, 'LiveKit is unreachable')).toContain(url);
      await stateIs(tab, 'Ready to call');

      await right.stop();
      await call(tab);
      expect(await problem(tab, 'The command behind this page has stopped')).toContain('npm start');
    } finally {
      await browser.close();
      await Promise.allSettled([right, stopped, wrong, livekit].map((part) => part.stop()));
    }
  });
});

onlyWithChromium('in the middle of a call', () => {
  let url: string;
  let server: BrowserServer;

  beforeAll(async () => {
    const link = await start.line(/open http:\/\/127\.0\.0\.1:\d+/i);
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(link)?.[0] ?? '';
    server = await playwright.launchServer(
      launchOptions(chromium ?? '', { microphone: silence() }),
    );
  });

  afterAll(async () => {
    await server?.close();
  });

  const write = async (page: Page, text: string) => {
    await page.getByLabel('Write to the agent').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
  };
  const ask = async (page: Page, text: string) => {
    const before = await page.locator('.words.agent').count();
    await write(page, text);
    await page.locator('.words.agent').nth(before).waitFor();
  };

  it('a reload ends the call on both sides, keeps the transcript and allows another call', async () => {
    const browser = await playwright.connect(server.wsEndpoint());
    const { page } = await newPage(browser, url);
    await call(page);
    await page.locator('.words.agent').waitFor();
    await stateIs(page, 'Listening');
    const ended = start.line(/"msg":"session closed"/);
    await page.reload();
    await problem(page, 'The call ended when the page was reloaded');
    await stateIs(page, 'Call ended');
    expect(await page.locator('.words.agent').count()).toBeGreaterThan(0);
    expect(await ended).toContain('participant_disconnected');
    await call(page);
    await page.locator('.words.agent').waitFor();
    await page.context().close();
  });

  it('a second tab gets its own call and both show a warning; a silent microphone shows one', async () => {
    const browser = await playwright.connect(server.wsEndpoint());
    const { page: one } = await newPage(browser, url);
    const two = await one.context().newPage();
    await two.goto(url);
    await call(one);
    await stateIs(one, 'Listening');
    await call(two);
    await problem(one, 'You are also in a call in another tab');
    await problem(two, 'You are also in a call in another tab');
    await stateIs(two, 'Listening');
    await problem(two, 'Your microphone delivers no sound');
    await two.close();
    await one.locator('[data-problem="tab"]').waitFor({ state: 'detached' });
    await ask(one, 'Are you still there?');
    await one.context().close();
  });

  it('after the death of the agent’s process the call goes on with another', async () => {
    const browser = await playwright.connect(server.wsEndpoint());
    const { page } = await newPage(browser, url);
    const before = start.stderr.length;
    await call(page);
    await page.locator('.words.agent').waitFor();
    await stateIs(page, 'Listening');
    // The process of this call is the one that has just logged its greeting.
    const greeted = /"pid":(\d+)[^\n]*"call_id"[^\n]*"msg":"reply"/;
    const pid = await until(() => greeted.exec(start.stderr.slice(before))?.[1]);
    process.kill(Number(pid), 'SIGKILL');
    // It says that the line was interrupted, and then answers.
    await page.locator('.words.agent').nth(1).waitFor();
    await stateIs(page, 'Listening');
    await ask(page, 'Are you still there?');
    await page.context().close();
  });

  it('an error of the service is shown in its words', async () => {
    const control = /control API: (http:\S+?)\)/.exec(await start.line(/control API/))?.[1];
    const faults = `${control}/faults`;
    const fault = JSON.stringify({ kind: 'access-denied', times: 9 });
    expect((await fetch(faults, { method: 'POST', body: fault })).ok).toBe(true);
    const browser = await playwright.connect(server.wsEndpoint());
    const { page } = await newPage(browser, url);
    await call(page);
    expect(await problem(page, 'The agent left the call')).toContain('AccessDeniedException');
    await stateIs(page, 'Call ended');
    expect(await seriousFaults(page)).toEqual([]);
    await page.context().close();
    await fetch(faults, { method: 'DELETE' });
  });

  const FOR_20_S = 20_000;
  concurrently({
    'a network that is off for 20 s is shown at once, and the call goes on after it': async () => {
      const browser = await playwright.connect(server.wsEndpoint());
      const { page } = await newPage(browser, url);
      await call(page);
      await page.locator('.words.agent').waitFor();
      await stateIs(page, 'Listening');
      const said = await page.locator('.words').count();
      const answers = await page.locator('.words.agent').count();

      await page.context().setOffline(true);
      // Sooner than LiveKit notices, which takes it 10 s at least.
      await problem(page, 'Connection lost', 5_000);
      await stateIs(page, 'Reconnecting', 5_000);
      expect(await seriousFaults(page)).toEqual([]);
      await page.waitForTimeout(FOR_20_S);
      await stateIs(page, 'Reconnecting', 5_000);
      await write(page, 'Are you still there?');
      await page.context().setOffline(false);
      await page.locator('.words.agent').nth(answers).waitFor();
      await page.locator('[data-problem="connection"]').waitFor({ state: 'detached' });
      await stateIs(page, 'Listening');
      expect(await page.locator('.words').count()).toBe(said + 2);
      await ask(page, 'Do you remember me?');
      await page.context().close();
    },

    'a lid that was closed for 20 s leaves a call that goes on, or one that says that it has ended':
      async () => {
        const laptop = await playwright.launchServer(
          launchOptions(chromium ?? '', { microphone: silence() }),
        );
        const browser = await playwright.connect(laptop.wsEndpoint());
        const { page } = await newPage(browser, url);
        await call(page);
        await page.locator('.words.agent').waitFor();
        await stateIs(page, 'Listening');

        const frozen = family(laptop.process().pid ?? 0);
        for (const pid of frozen) process.kill(pid, 'SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, FOR_20_S));
        for (const pid of frozen) process.kill(pid, 'SIGCONT');

        // Whatever LiveKit made of it meanwhile: the page cannot know it at once, but the question that the user types now
        // is answered, or the page says that the call has ended.
        const answers = await page.locator('.words.agent').count();
        const ended = page.getByTestId('state').filter({ hasText: 'Call ended' });
        const field = page.getByLabel('Write to the agent');
        if (!(await ended.isVisible()) && (await field.isEnabled()))
          await write(page, 'Are you still there?').catch(() => {});
        await page.locator('.words.agent').nth(answers).or(ended).first().waitFor();
        if (await ended.isVisible()) {
          expect(await page.locator('.problem').count()).toBeGreaterThan(0);
          await call(page);
          await stateIs(page, 'Speaking');
          await stateIs(page, 'Listening');
          await ask(page, 'Are you still there?');
        }
        await laptop.close();
      },
  });
});

async function until<T>(found: () => T | undefined): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = found();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error('It did not come.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A process and all that descend from it. */
function family(pid: number): number[] {
  const pairs = execFileSync('ps', ['-eo', 'pid=,ppid='])
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found)
    for (const [child, ppid] of pairs) if (ppid === parent && child) found.push(child);
  return found;
}
