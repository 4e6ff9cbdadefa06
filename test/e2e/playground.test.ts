// SPDX-License-Identifier: Apache-2.0

// The page of `npm start` in a real Chromium: a real LiveKit server, the real worker, the emulator, a spoken WAV as
// the microphone. SCREENSHOTS=DIR also saves pictures of its states there.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import wavefile from 'wavefile';
import { peakDb } from '../../local/recording.js';
import { findChromium, launch, picture, seriousFaults, spokenAt } from './browser.js';
import { call, level, newPage, problem, stateIs } from './page.js';
import { Command, directory, ROOT } from './support.js';

jest.setTimeout(180_000);

const chromium = findChromium();
const SCENARIO = join(ROOT, 'test/e2e/playground.scenario.yaml');
/** Figures on the page and in the agent's log may differ by this much, ms. */
const CLOSE_MS = 20;

(chromium ? describe : describe.skip)('the page of npm start', () => {
  let start: Command;
  let url: string;
  let browser: Browser;

  beforeAll(async () => {
    start = new Command('start', ['--scenario', SCENARIO, '--verbose', '--port', '0']);
    const link = await start.line(/open http:\/\/127\.0\.0\.1:\d+/);
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(link)?.[0] ?? '';
    const microphone = await spokenAt([
      { at: 8, text: 'What time is it in Tokyo?' },
      { at: 20, text: 'Tell me about the sea.' },
      { at: 34, text: 'Thank you, that is enough.' },
    ]);
    browser = await launch(chromium ?? '', { microphone });
  });

  afterAll(async () => {
    await browser?.close();
    start?.interrupt();
    await start?.exited;
  });

  const open = (options: BrowserContextOptions = {}) => newPage(browser, url, options);

  it('holds a call: speech, a tool, a barge-in, text, figures as in the log, downloads', async () => {
    const { page, errors } = await open();
    await stateIs(page, 'Ready to call');
    await picture(page, 'before');
    expect(await seriousFaults(page)).toEqual([]);
    await watchLayout(page);

    // By keyboard alone.
    await tabTo(page, 'Call');
    await page.keyboard.press('Enter');
    await stateIs(page, 'Speaking');
    await captionSays(page, 'agent', /^Hello, how can I help you\?$/);
    await stateIs(page, 'Listening');
    await picture(page, 'listening');
    expect(await seriousFaults(page)).toEqual([]);

    // Its words and the agent's, the tool between them, and the sound.
    await captionSays(page, 'you', /What time is it in Tokyo\?/);
    const tool = page.locator('.log .tool', { hasText: 'get_current_time' });
    await tool.waitFor();
    expect(await tool.innerText()).toMatch(/\d ms[\s\S]*"city": "Tokyo"[\s\S]*"time"/);
    await stateIs(page, 'Speaking');
    await louder(page, 'agent', 40);
    await captionSays(page, 'agent', /^In Tokyo it is \d+:\d\d.* now\. Is there anything else\?$/);

    // The caller talks over the long answer.
    await captionSays(page, 'agent', /^The sea covers .* never been/);
    await picture(page, 'speaking');
    expect(await seriousFaults(page)).toEqual([]);
    const cut = page.locator('.words.agent[data-interrupted]');
    await cut.waitFor({ timeout: 60_000 });
    expect(await cut.innerText()).toMatch(/The sea covers[\s\S]*interrupted/);
    expect(await cut.locator('.text').innerText()).not.toContain('only the beginning');
    const silence = page.getByTestId('silences');
    await expectText(silence, /^\d+ ms$/);
    expect(Number.parseInt(await silence.innerText(), 10)).toBeLessThan(500);
    await captionSays(page, 'agent', /^All right, I have stopped\.$/);
    expect(await page.locator('tr[data-reply] .cut').count()).toBe(1);
    expect(await page.locator('.timeline .mark.barge_in').count()).toBe(1);

    // Text, again by keyboard.
    await stateIs(page, 'Listening');
    await page.getByLabel('Write to the agent').focus();
    await page.keyboard.type('How many kilometers are five miles?');
    await page.keyboard.press('Enter');
    await captionSays(page, 'you', /How many kilometers/);
    await captionSays(page, 'agent', /^Five miles are 8\.04\d+ kilometers\.$/);
    await page.locator('.log .tool', { hasText: 'convert_units' }).waitFor();

    // A screen reader hears each settled line once, and nothing moved on the screen meanwhile.
    const aloud = await page.getByRole('log').innerText();
    expect(aloud).toContain('Agent: Hello, how can I help you?');
    expect(aloud).toContain('You: What time is it in Tokyo?');
    expect(await layoutShift(page)).toBeLessThan(0.01);

    await stateIs(page, 'Listening');
    await expectFiguresOfLog(page, start);
    expect(await page.getByTestId('cost').innerText()).toMatch(/^\$0\.\d+$/);

    // The wire.
    await page.locator('.wire > details > summary').click();
    await page.getByRole('combobox', { name: 'Event' }).selectOption('toolUse');
    await expectText(page.locator('.found'), /^2 of /);
    expect(await page.locator('.events li').count()).toBe(2);
    await page.getByRole('combobox', { name: 'Event' }).selectOption('');
    await page.getByRole('combobox', { name: 'Direction' }).selectOption('in');
    await page.getByRole('searchbox').fill('system');
    await expectText(page.locator('.events li').first(), /contentStart/);
    await page.getByRole('searchbox').fill('');
    await page.getByRole('combobox', { name: 'Direction' }).selectOption('both');
    await page.locator('.wire').scrollIntoViewIfNeeded();
    await picture(page, 'wire');
    expect(await seriousFaults(page)).toEqual([]);

    await page.getByRole('button', { name: 'Hang up' }).click();
    await stateIs(page, 'Call ended');
    expect(await seriousFaults(page)).toEqual([]);
    await expectDownloads(page);
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it('fits a phone of 360 px and a dark room, and talks while a button is held', async () => {
    const { page, errors } = await open({
      viewport: { width: 360, height: 740 },
      colorScheme: 'dark',
    });
    await page.locator('.sound > summary').click();
    await page.getByLabel('Push to talk').check();
    expect(await seriousFaults(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await call(page);
    await stateIs(page, 'Listening');
    await watchLayout(page);
    const hold = page.getByRole('button', { name: 'Hold to talk' });
    await hold.waitFor();
    // What is said while nobody holds the button is not heard.
    await page.waitForTimeout(4_000);
    await hold.focus();
    await page.keyboard.down('Space');
    await page.getByRole('button', { name: 'Talking' }).waitFor();
    await page.waitForTimeout(6_000);
    await page.keyboard.up('Space');
    await captionSays(page, 'you', /What time is it/);
    await stateIs(page, 'Speaking');
    await picture(page, 'narrow-dark');
    expect(await seriousFaults(page)).toEqual([]);
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width).toBeLessThanOrEqual(360);
    expect(await layoutShift(page)).toBeLessThan(0.01);

    await page.setViewportSize({ width: 1280, height: 860 });
    await picture(page, 'dark');

    // Another microphone in the middle of the call: its sound begins anew, and is let through without the button.
    await page.locator('.sound > summary').click();
    await page.getByLabel('Push to talk').uncheck();
    const microphones = page.getByRole('combobox', { name: 'Microphone' });
    expect(await microphones.locator('option').count()).toBeGreaterThan(2);
    await microphones.selectOption({ index: 2 });
    await page.keyboard.press('Escape');
    await louder(page, 'you', 30);
    const mute = page.getByRole('button', { name: 'Mute' });
    await mute.click();
    await page.getByRole('button', { name: 'Unmute' }).waitFor();
    expect(await page.locator('.state .hint').innerText()).toBe('You are muted');
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it('can be talked to without a microphone, and says how to mend it', async () => {
    const deaf = await launch(chromium ?? '', { allow: false });
    const { page } = await newPage(deaf, url);
    await call(page);
    await problem(page, 'The microphone was refused');
    expect(await seriousFaults(page)).toEqual([]);
    await stateIs(page, 'Listening');
    await page.getByLabel('Write to the agent').fill('How many kilometers are five miles?');
    await page.getByRole('button', { name: 'Send' }).click();
    await captionSays(page, 'agent', /^Five miles are 8/);
    await deaf.close();

    const bare = await launch(chromium ?? '', { devices: false });
    const { page: other } = await newPage(bare, url);
    await call(other);
    await problem(other, 'There is no microphone');
    await bare.close();
  });
});

/** Waits for a caption of one side whose words fit. */
async function captionSays(page: Page, who: 'you' | 'agent', words: RegExp): Promise<void> {
  const text = page.locator(`.words.${who} .text`).filter({ hasText: words });
  await text.first().waitFor({ timeout: 60_000 });
}

/** One side is heard: its sound, as the page has it, has energy. */
async function louder(page: Page, who: 'you' | 'agent', than: number): Promise<void> {
  const deadline = Date.now() + 20_000;
  while ((await level(page, who)) < than) {
    if (Date.now() > deadline) throw new Error(`No sound of ${who} came in 20 s.`);
    await page.waitForTimeout(50);
  }
}

async function expectText(locator: { innerText(): Promise<string> }, words: RegExp): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const text = await locator.innerText();
    if (words.test(text)) return;
    if (Date.now() > deadline) throw new Error(`"${text}" never became ${words}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function tabTo(page: Page, button: string): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press('Tab');
    const focused = (await page.evaluate('document.activeElement?.textContent ?? ""')) as string;
    if (focused.trim() === button) return;
  }
  throw new Error(`The Tab key does not lead to "${button}".`);
}

/** The table of the page against the lines that the agent itself logged. */
async function expectFiguresOfLog(page: Page, start: Command): Promise<void> {
  const logged = new Map(
    start.stderr
      .split('\n')
      .filter((line) => line.includes('"msg":"reply"'))
      .map((line) => JSON.parse(line) as Reply)
      .map((reply) => [reply.responseId, reply]),
  );
  const rows = await page.locator('tr[data-reply]').all();
  expect(rows.length).toBeGreaterThanOrEqual(4);
  const totals: number[] = [];
  for (const row of rows) {
    const reply = logged.get((await row.getAttribute('data-reply')) ?? '');
    const cells = await row.locator('td').allInnerTexts();
    const [model, tools, agent, way, total] = cells.map((cell) => Number(cell.replace(/,/g, '')));
    if (!reply?.firstAudioAt || !reply.firstAudioReceivedAt)
      throw new Error('A reply without a log.');
    near(agent, reply.firstAudioAt - reply.firstAudioReceivedAt);
    // A greeting and an answer to text have no end of speech.
    if (!reply.userSpeechEndedAt) continue;
    near(model, reply.firstAudioReceivedAt - reply.userSpeechEndedAt - reply.toolWaitMs);
    near(tools, reply.toolWaitMs);
    near(total, reply.firstAudioAt - reply.userSpeechEndedAt + (way || 0));
    totals.push(total ?? 0);
  }
  expect(totals.length).toBeGreaterThanOrEqual(3);
}

interface Reply {
  responseId: string;
  userSpeechEndedAt?: number;
  firstAudioReceivedAt?: number;
  firstAudioAt?: number;
  toolWaitMs: number;
}

function near(shown: number | undefined, logged: number): void {
  expect(Math.abs((shown ?? Number.NaN) - logged)).toBeLessThanOrEqual(CLOSE_MS);
}

async function expectDownloads(page: Page): Promise<void> {
  const out = directory('downloads');
  const save = async (button: RegExp, name: string) => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: button }).click(),
    ]);
    const file = join(out, name);
    await download.saveAs(file);
    return file;
  };
  const events = await save(/Events/, 'call.jsonl');
  const validate = new Command('emulator', ['validate', events]);
  await validate.exited;
  expect(validate.stdout).toMatch(/: 0 errors, /);
  const recorded = readFileSync(events, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const ofAudio = recorded.filter(({ name }) => name === 'audioInput');
  expect(ofAudio.length).toBeGreaterThan(500);
  expect(ofAudio[0].event.content).toMatch(/^<\d+ bytes>$/);

  const wav = new wavefile.WaveFile(readFileSync(await save(/Sound/, 'call.wav')));
  const [you, agent] = wav.getSamples(false, Int16Array) as unknown as [Int16Array, Int16Array];
  expect(peakDb(Int16Array.from(you))).toBeGreaterThan(-30);
  expect(peakDb(Int16Array.from(agent))).toBeGreaterThan(-20);
  expect(agent.length / 24_000).toBeGreaterThan(30);
}

/** Adds up how far things moved that nobody touched, as the browser itself measures it. */
async function watchLayout(page: Page): Promise<void> {
  await page.evaluate(`
    window.shifted = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
    }).observe({ type: 'layout-shift' });
  `);
}

async function layoutShift(page: Page): Promise<number> {
  return (await page.evaluate('window.shifted')) as number;
}
