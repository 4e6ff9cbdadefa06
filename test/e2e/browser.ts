// SPDX-License-Identifier: Apache-2.0

import { existsSync, mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import { type Browser, chromium, type LaunchOptions, type Page } from 'playwright-core';
import { writeWav } from '../../local/audio/wav.js';

const RATE = 48_000;
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/**
 * The Chromium to test with: $CHROMIUM, or one on the PATH.
 * @throws Error in CI when there is none; elsewhere undefined is returned, and the reason said aloud.
 */
export function findChromium(): string | undefined {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((directory) => NAMES.map((name) => join(directory, name)));
  const candidates = [process.env.CHROMIUM ?? '', ...onPath, MAC];
  const found = candidates.find((path) => path && existsSync(path));
  if (found) return found;
  const why = 'there is no Chromium: install it (apt-get install chromium) or set CHROMIUM';
  if (process.env.CI) throw new Error(`The tests of the page cannot run: ${why}.`);
  process.stderr.write(`\nSKIPPED, the tests of the page: ${why}.\n\n`);
  return undefined;
}

export interface BrowserOptions {
  /** WAV that is the microphone, from the moment when it is opened; then silence. */
  microphone?: string;
  /** What happens when a page asks for the microphone. Default: it is allowed. */
  allow?: boolean;
  /** Default true. False: a machine without any microphone. */
  devices?: boolean;
}

export function launch(executablePath: string, options: BrowserOptions = {}): Promise<Browser> {
  return chromium.launch(launchOptions(executablePath, options));
}

export function launchOptions(executablePath: string, options: BrowserOptions = {}): LaunchOptions {
  const { microphone, allow = true, devices = true } = options;
  return {
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(devices ? ['--use-fake-device-for-media-stream'] : []),
      ...(devices && allow ? ['--use-fake-ui-for-media-stream'] : []),
      ...(microphone ? [`--use-file-for-fake-audio-capture=${microphone}%noloop`] : []),
    ],
  };
}

/** A WAV in which these things are said at these seconds, with silence between. */
export async function spokenAt(script: { at: number; text: string }[]): Promise<string> {
  const speech = new SpeechSynthesizer();
  const voice = { locale: 'en-US', register: 'masculine' } as const;
  const seconds = Math.max(0, ...script.map(({ at }) => at)) + 30;
  const samples = new Int16Array(seconds * RATE);
  for (const { at, text } of script)
    samples.set(await speech.say(text, voice, RATE), Math.round(at * RATE));
  await speech.close();
  const file = join(mkdtempSync(join(tmpdir(), 'microphone-')), 'microphone.wav');
  writeWav(file, { sampleRate: RATE, samples });
  return file;
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What an accessibility checker finds serious or worse on a page as it is now. */
export async function seriousFaults(page: Page): Promise<string[]> {
  // The page's own policy refuses scripts that are not its own: this one is evaluated, not linked.
  await page.evaluate(await axeSource());
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResults> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
  });
}

interface AxeResults {
  violations: { id: string; impact: string; nodes: { html: string }[] }[];
}

let source: string | undefined;
async function axeSource(): Promise<string> {
  if (source === undefined) {
    const { readFile } = await import('node:fs/promises');
    source = await readFile(AXE, 'utf8');
  }
  return source;
}

/** Saves a picture of the page when SCREENSHOTS names a directory. */
export async function picture(page: Page, name: string): Promise<void> {
  const { SCREENSHOTS } = process.env;
  if (!SCREENSHOTS) return;
  await page.evaluate('document.activeElement?.blur()');
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}
