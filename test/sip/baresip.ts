// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PHONE_RATE } from '../../local/audio/g711.js';
import { readWav, writeWav } from '../../local/audio/wav.js';
import { ManagedProcess } from '../../local/process/managed-process.js';
import { freePort, twoFreePorts } from '../support/free-port.js';
import { until } from '../support/wait.js';

const START_TIMEOUT_MS = 20_000;
/** Longer than any call here: baresip hangs up when its microphone's file ends. */
const MICROPHONE_S = 240;

/** What happens to a call, as baresip reports it: `CALL_RINGING`, `CALL_ESTABLISHED`, `CALL_CLOSED`, … */
export interface PhoneEvent {
  type: string;
  /** Why a call was closed. */
  param: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** baresip, unmodified: a telephone with a WAV for its microphone, which records what it hears. */
export class Baresip {
  readonly events: PhoneEvent[] = [];
  readonly address: string;
  readonly #process: ManagedProcess;
  readonly #control: Socket;
  readonly #folder: string;

  private constructor(process: ManagedProcess, control: Socket, folder: string, address: string) {
    this.#process = process;
    this.#control = control;
    this.#folder = folder;
    this.address = address;
    let text = '';
    control.on('data', (data) => {
      text += data.toString();
      // Netstrings: LENGTH:JSON,
      for (;;) {
        const [, length] = /^(\d+):/.exec(text) ?? [];
        if (length === undefined) return;
        const start = length.length + 1;
        const end = start + Number(length);
        if (text.length <= end) return;
        const { event, type, param } = JSON.parse(text.slice(start, end));
        text = text.slice(end + 1);
        if (event) this.events.push({ type, param: param ?? '', at: Date.now() });
      }
    });
  }

  /**
   * @param number in international form
   * @param says what it says, and how many seconds after it was connected
   */
  static async start(
    number: string,
    says: { samples: Int16Array; atS: number }[] = [],
  ): Promise<Baresip> {
    const folder = mkdtempSync(join(tmpdir(), 'baresip-'));
    const heard = join(folder, 'heard');
    mkdirSync(heard);
    const samples = new Int16Array(MICROPHONE_S * PHONE_RATE);
    for (const { samples: speech, atS } of says) samples.set(speech, atS * PHONE_RATE);
    writeWav(join(folder, 'microphone.wav'), { sampleRate: PHONE_RATE, samples });
    const [sipPort, controlPort] = [await twoFreePorts(), await freePort()];
    const rtp = (await freePort()) & ~1;
    const modules = [
      'g711',
      'aufile',
      'aubridge',
      'sndfile',
      'uuid',
      'account',
      'menu',
      'ctrl_tcp',
    ];
    const settings = [
      'module_path /usr/lib/baresip/modules',
      `sip_listen 127.0.0.1:${sipPort}`,
      'net_interface 127.0.0.1',
      `rtp_ports ${rtp}-${rtp + 20}`,
      `audio_source aufile,${join(folder, 'microphone.wav')}`,
      'audio_player aubridge,nobody',
      'audio_alert aubridge,nobody',
      'jitter_buffer_delay 2-10',
      `snd_path ${heard}`,
      `ctrl_tcp_listen 127.0.0.1:${controlPort}`,
      'ringback_disabled yes',
      ...modules.map((name) =>
        name === 'menu' || name === 'account' || name === 'ctrl_tcp'
          ? `module_app ${name}.so`
          : `module ${name}.so`,
      ),
    ];
    writeFileSync(join(folder, 'config'), `${settings.join('\n')}\n`);
    writeFileSync(
      join(folder, 'accounts'),
      `<sip:${number}@127.0.0.1:${sipPort}>;regint=0;answermode=manual\n`,
    );
    writeFileSync(join(folder, 'contacts'), '');
    const process = new ManagedProcess('baresip', 'baresip', ['-f', folder, '-v'], {
      graceMs: 1_000,
    });
    try {
      await process.waitForLine((line) => line.includes('baresip is ready'), START_TIMEOUT_MS);
      const control = connect(controlPort, '127.0.0.1');
      await new Promise((resolve, reject) =>
        control.once('connect', resolve).once('error', reject),
      );
      return new Baresip(process, control, folder, `127.0.0.1:${sipPort}`);
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  dial(number: string, sipPort: number): void {
    this.#command('dial', `sip:${number}@127.0.0.1:${sipPort}`);
  }

  answer(): void {
    this.#command('accept');
  }

  /** Hangs up, or refuses as busy (486) while it rings. */
  hangUp(): void {
    this.#command('hangup');
  }

  /** A key, as RFC 4733's telephone-event. */
  press(key: string): void {
    this.#command('sndcode', key);
  }

  /** The first event of a kind. */
  async event(type: string, patienceMs?: number): Promise<PhoneEvent> {
    const find = () => this.events.find((event) => event.type === type);
    await until(
      `${type} after ${this.events.map((event) => event.type)}`,
      () => Boolean(find()),
      patienceMs,
    );
    return find() as PhoneEvent;
  }

  /** What it heard from when it was connected, after the call. */
  heard(): Int16Array {
    const folder = join(this.#folder, 'heard');
    const [file] = readdirSync(folder).filter((name) => name.endsWith('-dec.wav'));
    return file ? readWav(join(folder, file), PHONE_RATE).samples : new Int16Array();
  }

  get log(): string {
    return this.#process.lastLines;
  }

  async stop(): Promise<void> {
    this.#control.destroy();
    await this.#process.stop();
  }

  #command(command: string, params = ''): void {
    const text = JSON.stringify({ command, params, token: command });
    this.#control.write(`${Buffer.byteLength(text)}:${text},`);
  }
}
