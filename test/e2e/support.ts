// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import { writeWav } from '../../local/audio/wav.js';

const LINE_TIMEOUT_MS = 120_000;

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A stranger's environment: nothing of ours, of LiveKit's or of AWS's is set. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|LIVEKIT_|NOVA_|BEDROCK_|OTEL_|NODE_OPTIONS$|NODE_ENV$|JEST_)/.test(name),
  );
  // What is compared is words: colours are for terminals, and CI=true turns them on.
  return { ...Object.fromEntries(kept), NO_COLOR: '1' };
}

/** Not the developer's own `npm start`: what the tests start is found by the tests only. */
const DEV_STATE_FILE = join(mkdtempSync(join(tmpdir(), 'dev-state-')), 'dev.json');

const running = new Set<Command>();

/** A command of the README, run as a person would, and findable with all it starts. */
export class Command {
  readonly #mark = randomUUID();
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly exited: Promise<number>;
  stdout = '';
  stderr = '';

  constructor(script: string, args: string[] = [], env: NodeJS.ProcessEnv = {}) {
    this.#process = spawn('npm', ['run', '--silent', script, '--', ...args], {
      cwd: ROOT,
      env: { ...cleanEnvironment(), DEV_STATE_FILE, ...env, COMMAND_MARK: this.#mark },
      // Its own process group, like a job of a shell: signals reach it as from a terminal.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const name of ['stdout', 'stderr'] as const) {
      const input = this.#process[name];
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        this[name] += `${line}\n`;
        this.#lines.push(line);
        this.#process.emit('line', line);
      });
    }
    running.add(this);
    this.exited = once(this.#process, 'close').then(([code]) => {
      running.delete(this);
      return (code as number | null) ?? -1;
    });
  }

  /**
   * Resolves with the first line, of either stream, that fits.
   * @throws Error with the last lines when the command ends before, or after two minutes
   */
  async line(pattern: RegExp): Promise<string> {
    const failed = (why: string) =>
      new Error(`${why} before ${pattern}:\n${this.#lines.slice(-50).join('\n')}`);
    const ended = this.exited.then((code) => {
      throw failed(`ended with ${code}`);
    });
    ended.catch(() => {});
    const signal = AbortSignal.timeout(LINE_TIMEOUT_MS);
    for (;;) {
      const found = this.#lines.find((line) => pattern.test(line));
      if (found) return found;
      const next = once(this.#process, 'line', { signal }).catch(() => {
        throw failed(`waited ${LINE_TIMEOUT_MS / 1000} s`);
      });
      await Promise.race([next, ended]);
    }
  }

  /** @throws Error with its last lines when it ends with another code than 0 */
  async succeeds(): Promise<void> {
    const code = await this.exited;
    if (code !== 0) throw new Error(`ended with ${code}:\n${this.#lines.slice(-50).join('\n')}`);
  }

  /** Kills every command that still runs. */
  static async killAll(): Promise<void> {
    for (const command of running) command.kill();
    await Promise.all([...running].map((command) => command.exited));
  }

  /** Ctrl-C in its terminal. */
  interrupt(): void {
    if (this.#process.pid) process.kill(-this.#process.pid, 'SIGINT');
  }

  /** The whole job is killed at once, with no chance to clean up. */
  kill(): void {
    if (this.#process.pid) process.kill(-this.#process.pid, 'SIGKILL');
  }

  /** Processes that this command started, or that those started, and that are alive. */
  processes(): { pid: number; command: string }[] {
    // BSD options, which Linux and macOS share: every process, with its environment after its command.
    const all = execFileSync('ps', ['axeww', '-o', 'pid=,command='], { maxBuffer: 2 ** 27 });
    return all
      .toString()
      .split('\n')
      .filter((line) => line.includes(this.#mark))
      .map((line) => ({ pid: Number.parseInt(line, 10), command: line.trim().slice(0, 200) }));
  }

  /** What is still alive some seconds after it should have gone. */
  async leftovers(): Promise<string[]> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const alive = this.processes();
      if (!alive.length || Date.now() > deadline) return alive.map(({ command }) => command);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const speech = new SpeechSynthesizer();

/** A WAV of somebody saying this. */
export async function speechFile(text: string, sampleRate = 48_000): Promise<string> {
  const voice = { locale: 'en-US', register: 'masculine' } as const;
  const file = join(mkdtempSync(join(tmpdir(), 'spoken-')), 'question.wav');
  writeWav(file, { sampleRate, samples: await speech.say(text, voice, sampleRate) });
  return file;
}

export const directory = (name: string) => mkdtempSync(join(tmpdir(), `${name}-`));
