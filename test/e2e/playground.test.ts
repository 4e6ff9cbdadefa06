// SPDX-License-Identifier: Apache-2.0

// The page of `npm start` in a real Chromium: a real LiveKit server, the real worker, the emulator, speech in
// the microphone. SCREENSHOTS=DIR also saves pictures of its states there.
// Long because all its tests share one browser and one `npm start`.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import wavefile from 'wavefile';
import { peakDb } from '../../local/audio/wav.js';
import { concurrently } from '../support/concurrent.js';
import {
  findChromium,
  installMicrophone,
  launch,
  picture,
  seriousFaults,
  speak,
} from './browser.js';
import {
  call,
  captionSays,
  expectNothingMoved,
  expectPrice,
  expectText,
  focused,
  hasSaid,
  louder,
  newPage,
  problem,
  stateIs,
  tabTo,
  watchLayout,
} from './page.js';
import { Command, directory, ROOT } from './support.js';

jest.setTimeout(240_000);

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
    const link = await start.line(/open http:\/\/127\.0\.0\.1:\d+/i);
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(link)?.[0] ?? '';
    browser = await launch(chromium ?? '');
  });

  afterAll(async () => {
    await browser?.close();
    start?.interrupt();
    await start?.exited;
  });

  it('holds a call: speech, a tool, a barge-in, text, figures as in the log, downloads', async () => {
    const { page, errors } = await newPage(browser, url);
    await installMicrophone(page);
    await stateIs(page, 'Ready to call');
    await picture(page, 'before');
    expect(await seriousFaults(page)).toEqual([]);
    await watchLayout(page);
    await watchTools(page);

    // By keyboard alone.
    await tabTo(page, 'Call');
    await page.keyboard.press('Enter');
    await stateIs(page, 'Speaking');
    await captionSays(page, 'agent', /^Hello, how can I help you\?$/);
    await hasSaid(page, /Hello, how can I help you\?/);
    await picture(page, 'listening');
    expect(await seriousFaults(page)).toEqual([]);

    // Its words and the agent's, the tool between them, and the sound.
    await speak(page, 'What time is it in Tokyo?');
    await captionSays(page, 'you', /What time is it in Tokyo\?/);
    const tool = page.locator('.log .tool', { hasText: 'get_current_time' });
    await tool.waitFor();
    await expectText(tool, /\d ms[\s\S]*"city": "Tokyo"[\s\S]*"time"/);
    await stateIs(page, 'Speaking');
    await louder(page, 'agent', 40);
    await captionSays(page, 'agent', /^In Tokyo it is \d+:\d\d.* now\. Is there anything else\?$/);

    // The caller talks over the long answer.
    await hasSaid(page, /Is there anything else\?/);
    await speak(page, 'Tell me about the sea.');
    await captionSays(page, 'agent', /^The sea covers .* never been/);
    await picture(page, 'speaking');
    expect(await seriousFaults(page)).toEqual([]);
    const interruptionMs = await speak(page, 'Thank you, that is enough.');
    const cut = page.locator('.words.agent[data-interrupted]');
    await cut.waitFor();
    expect(await cut.innerText()).toMatch(/The sea covers[\s\S]*interrupted/);
    expect(await cut.locator('.text').innerText()).not.toContain('only the beginning');
    const silence = page.getByTestId('silences');
    await expectText(silence, /^\d+ ms$/);
    // On any machine the agent is silent before the caller has finished the interruption.
    expect(Number.parseInt(await silence.innerText(), 10)).toBeLessThan(interruptionMs);
    await captionSays(page, 'agent', /^All right, I have stopped\.$/);
    expect(await page.locator('tr[data-reply] .cut').count()).toBe(1);
    expect(await page.locator('.timeline .mark.barge_in').count()).toBe(1);

    // Text, again by keyboard.
    await stateIs(page, 'Listening');
    await tabTo(page, 'Write to the agent');
    await page.keyboard.type('How many kilometers are five miles?');
    await tabTo(page, 'Send');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toBe('Write to the agent');
    await captionSays(page, 'you', /How many kilometers/);
    await captionSays(page, 'agent', /^Five miles are 8\.04\d+ kilometers\.$/);
    await page.locator('.log .tool', { hasText: 'convert_units' }).waitFor();

    // Both tools stood there, with their arguments, before they had a result.
    expect(await toolsSeenRunning(page)).toEqual([
      expect.stringMatching(/^Tool\s+get_current_time\s+running[\s\S]*"Tokyo"[^"]*output\s*$/),
      expect.stringMatching(/^Tool\s+convert_units\s+running[\s\S]*"mile"[^{]*output\s*$/),
    ]);

    // A screen reader hears each settled line once, and nothing moved on the screen meanwhile.
    const aloud = await page.getByRole('log').innerText();
    expect(aloud).toContain('Agent: Hello, how can I help you?');
    expect(aloud).toContain('You: What time is it in Tokyo?');
    expect(aloud.match(/Tool get_current_time/g)).toEqual(['Tool get_current_time']);
    await expectNothingMoved(page);

    await stateIs(page, 'Listening');
    await expectFiguresOfLog(page, start);
    await expectPrice(page);

    // Muting, and the choice of devices, by keyboard.
    await tabTo(page, 'Mute');
    await page.keyboard.press('Space');
    await expectText(page.locator('.state .hint'), /^You are muted$/);
    await page.keyboard.press('Space');
    await tabTo(page, 'Sound');
    await page.keyboard.press('Enter');
    await page.getByRole('combobox', { name: 'Microphone' }).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Escape');
    expect(await focused(page)).toBe('Sound');

    // The Bedrock events.
    await tabTo(page, 'Bedrock events');
    await page.keyboard.press('Enter');
    await page.getByRole('combobox', { name: 'Direction' }).waitFor();
    expect(await focused(page)).toMatch(/^Bedrock events/);
    await page.getByRole('combobox', { name: 'Event' }).selectOption('toolUse');
    await expectText(page.locator('.found'), /^2 of /);
    expect(await page.locator('.events li').count()).toBe(2);
    await page.getByRole('combobox', { name: 'Event' }).selectOption('');
    await page.getByRole('combobox', { name: 'Direction' }).selectOption('in');
    await page.getByRole('searchbox').fill('system');
    await expectText(page.locator('.events li').first(), /contentStart/);
    await page.getByRole('searchbox').fill('');
    await page.getByRole('combobox', { name: 'Direction' }).selectOption('both');
    await tabTo(page, 'Events, newest first');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('.events li:nth-child(2) pre').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.bedrock-events').scrollIntoViewIfNeeded();
    await picture(page, 'bedrock-events');
    expect(await seriousFaults(page)).toEqual([]);

    await tabTo(page, 'Hang up');
    await page.keyboard.press('Enter');
    await stateIs(page, 'Call ended');
    expect(await focused(page)).toBe('Call again');
    expect(await seriousFaults(page)).toEqual([]);
    await expectDownloads(page);
    expect(errors).toEqual([]);
    await page.context().close();
  });

  concurrently({
    'fits a screen of 360 px and dark mode, and supports push-to-talk': async () => {
      const own = await launch(chromium ?? '');
      const { page, errors } = await newPage(own, url, {
        viewport: { width: 360, height: 740 },
        colorScheme: 'dark',
      });
      await installMicrophone(page);
      const width = () => page.evaluate('document.documentElement.scrollWidth');
      await page.locator('.sound > summary').click();
      await page.getByLabel('Push to talk').check();
      expect(await seriousFaults(page)).toEqual([]);
      expect(await width()).toBeLessThanOrEqual(360);
      await page.keyboard.press('Escape');
      await call(page);
      await stateIs(page, 'Listening');
      await watchLayout(page);
      const hold = page.getByRole('button', { name: 'Hold to talk' });
      await hold.focus();
      await speak(page, 'Nobody hears this.');
      await page.keyboard.down('Space');
      await page.getByRole('button', { name: 'Talking' }).waitFor();
      await speak(page, 'What time is it in Tokyo?');
      await captionSays(page, 'you', /What time is it/);
      await page.keyboard.up('Space');
      expect(await page.locator('.words.you').count()).toBe(1);
      await stateIs(page, 'Speaking');
      await picture(page, 'narrow-dark');
      expect(await seriousFaults(page)).toEqual([]);
      expect(await width()).toBeLessThanOrEqual(360);
      await expectNothingMoved(page);
      await page.setViewportSize({ width: 1280, height: 860 });
      await picture(page, 'dark');
      expect(errors).toEqual([]);
      await own.close();
    },

    'uses the selected microphone and speaker': async () => {
      // Without a WAV each of Chromium's fake microphones beeps.
      const own = await launch(chromium ?? '');
      const { page, errors } = await newPage(own, url);
      await watchSenders(page);
      await call(page);
      await stateIs(page, 'Listening');
      await page.locator('.sound > summary').click();

      const speaker = page.getByRole('combobox', { name: 'Speaker' });
      await speaker.selectOption({ label: 'Fake Audio Output 2' });
      const wanted = await speaker.inputValue();
      await expectValue(() => page.evaluate('document.querySelector("audio").sinkId'), wanted);

      const microphone = page.getByRole('combobox', { name: 'Microphone' });
      await microphone.selectOption({ label: 'Fake Audio Input 2' });
      await expectValue(() => sentFrom(page), await microphone.inputValue());
      await louder(page, 'you', 30);

      // A microphone selected while muted is live after unmuting.
      await page.getByRole('button', { name: 'Mute' }).click();
      await expectText(page.locator('.state .hint'), /^You are muted$/);
      await page.locator('.sound > summary').click();
      await microphone.selectOption({ label: 'Fake Audio Input 1' });
      const other = await microphone.inputValue();
      await page.getByRole('button', { name: 'Unmute' }).click();
      await expectValue(() => sentFrom(page), other);
      await louder(page, 'you', 30);

      // The next call begins with what was chosen.
      await page.getByRole('button', { name: 'Hang up' }).click();
      await stateIs(page, 'Call ended');
      expect(await page.locator('audio').count()).toBe(0);
      await call(page);
      await page.locator('audio').waitFor({ state: 'attached' });
      await expectValue(() => page.evaluate('document.querySelector("audio").sinkId'), wanted);
      await expectValue(() => sentFrom(page), other);

      // A speaker that the browser does not give.
      await page.evaluate(
        'HTMLMediaElement.prototype.setSinkId = () => Promise.reject(new Error())',
      );
      await page.locator('.sound > summary').click();
      await speaker.selectOption({ label: 'Fake Audio Output 1' });
      await problem(page, 'That speaker cannot be used');
      // LiveKit's client reports it as well, of a track that is attached again just now.
      expect(errors.filter((line) => !line.startsWith('Failed to set sink id'))).toEqual([]);
      await own.close();
    },

    'works without a microphone and explains how to enable one': async () => {
      const deaf = await launch(chromium ?? '', { allow: false });
      const { page } = await newPage(deaf, url);
      await call(page);
      await problem(page, 'Microphone access was denied');
      expect(await seriousFaults(page)).toEqual([]);
      await stateIs(page, 'Listening');
      await page.getByLabel('Write to the agent').fill('How many kilometers are five miles?');
      await page.getByRole('button', { name: 'Send' }).click();
      await captionSays(page, 'agent', /^Five miles are 8/);
      // What goes away leaves the keyboard near the call, not at the top of the page.
      await tabTo(page, 'Dismiss');
      await page.keyboard.press('Enter');
      await page.locator('.problem').waitFor({ state: 'detached' });
      expect(await focused(page)).toMatch(/^Listening|^Speaking/);
      await deaf.close();

      const bare = await launch(chromium ?? '', { devices: false });
      const { page: other } = await newPage(bare, url);
      await call(other);
      await problem(other, 'No microphone was found');
      await bare.close();
    },
  });
});

/** Notes each tool that the page shows while it has no result yet, as it is shown. */
async function watchTools(page: Page): Promise<void> {
  await page.evaluate(`
    window.toolsRunning = new Map();
    new MutationObserver(() => {
      for (const tool of document.querySelectorAll('.log .tool[aria-busy="true"]'))
        window.toolsRunning.set(tool.querySelector('code').textContent, tool.innerText);
    }).observe(document.querySelector('.log'), { subtree: true, childList: true, attributes: true });
  `);
}

async function toolsSeenRunning(page: Page): Promise<string[]> {
  return (await page.evaluate('[...window.toolsRunning.values()]')) as string[];
}

/** Keeps the connections that the page makes, to see what they send. */
async function watchSenders(page: Page): Promise<void> {
  await page.addInitScript(`
    window.connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...args) {
        super(...args);
        window.connections.push(this);
      }
    };
  `);
  await page.reload();
}

/** The device whose sound goes out to LiveKit. */
function sentFrom(page: Page): Promise<unknown> {
  return page.evaluate(`
    window.connections
      .filter(({ connectionState }) => connectionState === 'connected')
      .flatMap((connection) => connection.getSenders())
      .map(({ track }) => track)
      .find((track) => track?.kind === 'audio' && track.readyState === 'live')
      ?.getSettings().deviceId`);
}

async function expectValue(read: () => Promise<unknown>, wanted: string): Promise<void> {
  await expectText({ innerText: async () => String(await read()) }, new RegExp(`^${wanted}$`));
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
  expect(agent.length / 24_000).toBeGreaterThan(20);
}
