// SPDX-License-Identifier: Apache-2.0

import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
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

/** A WAV of silence, for a microphone from which nothing comes. */
export function silence(): string {
  const file = join(mkdtempSync(join(tmpdir(), 'microphone-')), 'silence.wav');
  writeWav(file, { sampleRate: RATE, samples: new Int16Array(30 * RATE) });
  return file;
}

const speech = new SpeechSynthesizer();
const VOICE = { locale: 'en-US', register: 'masculine' } as const;

/** Reloads the page with a microphone that is silent until `speak`: whatever device it opens, it gets this sound. */
export async function installMicrophone(page: Page): Promise<void> {
  await page.addInitScript(`{
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    const context = new AudioContext({ sampleRate: ${RATE} });
    const microphone = context.createMediaStreamDestination();
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      for (const track of (await open(constraints)).getTracks()) track.stop();
      await context.resume();
      return microphone.stream.clone();
    };
    window.speak = async (wav) => {
      const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(wav) });
      source.connect(microphone);
      const ended = new Promise((resolve) => source.addEventListener('ended', resolve));
      source.start();
      await ended;
    };
  }`);
  await page.reload();
}

/** Says this into the page's microphone; resolves when it is said, with how long it took to say, in ms. */
export async function speak(page: Page, text: string): Promise<number> {
  const file = join(mkdtempSync(join(tmpdir(), 'speech-')), 'speech.wav');
  const samples = await speech.say(text, VOICE, RATE);
  writeWav(file, { sampleRate: RATE, samples });
  const wav = readFileSync(file).toString('base64');
  await page.evaluate(`speak(Uint8Array.from(atob('${wav}'), (c) => c.charCodeAt(0)).buffer)`);
  return (samples.length * 1000) / RATE;
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
