// SPDX-License-Identifier: Apache-2.0

// Telephone calls with LiveKit's own SIP service, a LiveKit server, a Redis, the worker, and an unmodified SIP client: what
// the stand-in for a telephone (local/caller/phone.ts) is compared with. `npm run test:sip`.

import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ParticipantKind } from '@livekit/rtc-node';
import { type ParticipantInfo, RoomServiceClient, TrackSource } from 'livekit-server-sdk';
import { PHONE_RATE } from '../../local/audio/g711.js';
import { readWav } from '../../local/audio/wav.js';
import { createSipParticipant } from '../../local/caller/phone.js';
import { startWorkerProcess } from '../../local/dev/dev-environment.js';
import { startEmulatorProcess } from '../../local/dev/emulator-process.js';
import { type LiveKitServer, startLiveKitServer, which } from '../../local/livekit/server.js';
import { type SipService, startSipService } from '../../local/livekit/sip-service.js';
import { ManagedProcess } from '../../local/process/managed-process.js';
import { Command, speechFile } from '../e2e/support.js';
import { freePort } from '../support/free-port.js';
import { startRedis } from '../support/redis.js';
import { until } from '../support/wait.js';
import { Baresip } from './baresip.js';
import { findPrograms } from './programs.js';

const OUR_NUMBER = '+15551234567';
const SCENARIO = fileURLToPath(new URL('scenario.yaml', import.meta.url));
const DECLINES = fileURLToPath(new URL('declines.xml', import.meta.url));
const MAX_CALL_S = 45;
/** Nothing but codec noise is below. */
const AUDIBLE = 500;
/** How long the greeting of scenario.yaml takes. */
const GREETING_S = 4.7;
const CALL_MS = 120_000;

const programs = await findPrograms();

/** One line of the worker's log. */
interface LogLine {
  msg: string;
  end_reason?: string;
  [name: string]: unknown;
}

(programs ? describe : describe.skip)('a telephone, through LiveKit SIP', () => {
  const stops: (() => Promise<unknown>)[] = [];
  const log: LogLine[] = [];
  const metrics: string[] = [];
  let livekit: LiveKitServer;
  let rooms: RoomServiceClient;
  let sip: SipService;
  let patient: Baresip;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    const { sipService, redisServer } = programs as NonNullable<typeof programs>;
    const redis = await startRedis(redisServer);
    stops.push(() => redis.stop());
    livekit = await startLiveKitServer({ redis: redis.address });
    stops.push(() => livekit.stop());
    const { url, apiKey, apiSecret } = livekit;
    rooms = new RoomServiceClient(url.replace('ws:', 'http:'), apiKey, apiSecret);
    const ports = { port: await freePort(), rtpPort: await freePort() };
    sip = await startSipService(sipService, { redis: redis.address, livekit, ...ports });
    stops.push(() => sip.stop());
    const emulator = await startEmulatorProcess({ scenario: SCENARIO });
    stops.push(() => emulator.process.stop());
    Object.assign(process.env, {
      ...{ LIVEKIT_AGENT_NAME: 'sonic', LOG_PII: 'true', MAX_CALL_S: String(MAX_CALL_S) },
    });
    const worker = await startWorkerProcess(livekit, { kind: 'emulator', ...emulator }, (line) => {
      if (process.env.SIP_LOG) appendFileSync(process.env.SIP_LOG, `${line}\n`);
      if (line.startsWith('{"level"')) log.push(JSON.parse(line));
      else metrics.push(line);
    });
    stops.push(() => worker.stop());
    env = {
      ...{ LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret },
      LIVEKIT_AGENT_NAME: 'sonic',
    };
    await new Command('phone', ['inbound', '--number', OUR_NUMBER], env).succeeds();
    patient = await phone('+15557650000');
    patient.dial(OUR_NUMBER, sip.port);
  }, 300_000);

  afterAll(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await Command.killAll();
  }, 60_000);

  async function phone(number: string, says: Parameters<typeof Baresip.start>[1] = []) {
    const client = await Baresip.start(number, says);
    stops.push(() => client.stop());
    return client;
  }

  const speech = async (text: string) => readWav(await speechFile(text), PHONE_RATE).samples;
  /** The participant of a number, as LiveKit's API shows it. */
  async function participant(number: string): Promise<ParticipantInfo | undefined> {
    for (const { name } of await rooms.listRooms()) {
      const all = await rooms.listParticipants(name);
      const found = all.find(({ attributes }) => attributes['sip.phoneNumber'] === number);
      if (found) return found;
    }
    return undefined;
  }
  /** The line with which the worker ends the call of a room; `room` may be part of its name. */
  async function ended(room: string): Promise<LogLine> {
    const find = () =>
      log.find(
        ({ msg, ...l }) => msg === 'call ended' && `${l['lk.pii.room_name']}`.includes(room),
      );
    await until(`the end of the call in ${room}`, () => Boolean(find()));
    return find() as LogLine;
  }
  /** Seconds from the start of what was heard to the first sound after a moment. */
  const firstSound = (heard: Int16Array, afterS = 0) =>
    heard.findIndex((sample, i) => i >= afterS * PHONE_RATE && Math.abs(sample) > AUDIBLE) /
    PHONE_RATE;

  it(
    'is greeted, asks, presses keys, and is hung up on when the model ends the call',
    async () => {
      const number = '+15557650001';
      const [question, farewell] = [
        await speech('What time is it in Tokyo?'),
        await speech('Good bye.'),
      ];
      const standIn = createSipParticipant();
      const caller = await phone(number, [
        { samples: question, atS: 7 },
        { samples: farewell, atS: 24 },
      ]);
      caller.dial(OUR_NUMBER, sip.port);
      const seen: string[] = [];
      let last: ParticipantInfo | undefined;
      while (!caller.events.some(({ type }) => type === 'CALL_ESTABLISHED')) {
        last = (await participant(number)) ?? last;
        const status = last?.attributes['sip.callStatus'] ?? '';
        if (status && seen.at(-1) !== status) seen.push(status);
      }
      const { at } = await caller.event('CALL_ESTABLISHED');
      expect(seen[0]).toBe(standIn.attributes['sip.callStatus']);
      const info = (await participant(number)) as ParticipantInfo;
      expect(info.kind).toBe(ParticipantKind.SIP);
      expect(info.identity).toBe(`sip_${number}`);
      expect(info.name).toBe(`Phone ${number}`);
      expect(Object.keys(info.attributes).sort()).toEqual(Object.keys(standIn.attributes).sort());
      let tracks: ParticipantInfo['tracks'] = [];
      while (tracks.length === 0) tracks = (await participant(number))?.tracks ?? [];
      expect(tracks).toMatchObject([{ name: info.identity, source: TrackSource.MICROPHONE }]);

      await until('17 s', () => Date.now() - at > 17_000);
      for (const key of ['1', '2', '#']) {
        caller.press(key);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      await caller.event('CALL_CLOSED');
      const { end_reason } = await ended(number);
      const heard = caller.heard();
      const [greeting, answer, thanks, bye] = [0, 8, 17.5, 24.5].map((from) =>
        firstSound(heard, from),
      );
      process.stderr.write(
        `heard ${heard.length / PHONE_RATE} s: ${[greeting, answer, thanks, bye]}\n`,
      );
      expect(greeting).toBeLessThan(3);
      expect(answer).toBeLessThan(16);
      expect(thanks).toBeLessThan(23);
      expect(bye).toBeGreaterThan(24);
      expect(log).toContainEqual(
        expect.objectContaining({ msg: 'keys pressed', 'lk.pii.keys': '12' }),
      );
      expect(end_reason).toBe('end_call_tool');
    },
    CALL_MS,
  );

  it(
    'that hangs up ends the call',
    async () => {
      const number = '+15557650002';
      const caller = await phone(number);
      caller.dial(OUR_NUMBER, sip.port);
      const { at } = await caller.event('CALL_ESTABLISHED');
      await until('3 s', () => Date.now() - at > 3_000);
      const hungUp = Date.now();
      caller.hangUp();
      const { end_reason, time } = await ended(number);
      expect(end_reason).toBe('participant_disconnected');
      expect(Number(time) - hungUp).toBeLessThan(5_000);
      // How long the caller waited is counted from when it called.
      const answered = () => metrics.some((line) => line.includes('"TimeToAnswer":'));
      await until('TimeToAnswer', answered);
    },
    CALL_MS,
  );

  it(
    'that hangs up while it rings ends the call',
    async () => {
      const number = '+15557650007';
      const caller = await phone(number);
      caller.dial(OUR_NUMBER, sip.port);
      let room = '';
      const joined = async () => {
        const all = await rooms.listRooms();
        room = all.find(({ name }) => name.includes(number))?.name ?? '';
        if (!room) return false;
        const people = await rooms.listParticipants(room).catch(() => []);
        return people.some(({ kind }) => Number(kind) === ParticipantKind.AGENT);
      };
      while (!(await joined()));
      const hungUp = Date.now();
      caller.hangUp();
      const { end_reason, time } = await ended(number);
      expect(end_reason).toBe('participant_disconnected');
      expect(Number(time) - hungUp).toBeLessThan(5_000);
    },
    CALL_MS,
  );

  it(
    'after the longest call is hung up on',
    async () => {
      const { at } = await patient.event('CALL_ESTABLISHED');
      const closed = await patient.event('CALL_CLOSED', MAX_CALL_S * 1_000 + 30_000);
      expect(closed.at - at).toBeLessThan(MAX_CALL_S * 1_000 + 15_000);
      expect((await ended('+15557650000')).end_reason).toBe('max_call_length');
    },
    CALL_MS,
  );

  describe('that is called', () => {
    /** Dials it, and returns the command and the name of the room. */
    async function dial(number: string, address: string, ringing: number) {
      const set = new Command(
        'phone',
        ['outbound', '--number', OUR_NUMBER, '--address', address],
        env,
      );
      await set.succeeds();
      const trunk = /ST_\w+/.exec(set.stdout)?.[0] ?? '';
      const room = `dialed-${number.slice(1)}`;
      const flags = [number, '--trunk', trunk, '--ringing', String(ringing), '--room', room];
      return { command: new Command('dial', flags, env), room };
    }

    it(
      'hears nothing while it rings, and the greeting within a second of the answer',
      async () => {
        const number = '+15557650003';
        const called = await phone(number);
        const { command, room } = await dial(number, called.address, 30);
        await called.event('CALL_INCOMING');
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        const standIn = createSipParticipant({ dialed: true });
        const info = (await participant(number)) as ParticipantInfo;
        expect(info).toMatchObject({ kind: ParticipantKind.SIP, name: standIn.name });
        expect(info.identity).toMatch(/^phone-/);
        expect(info.attributes['sip.callStatus']).toBe('ringing');
        expect(Object.keys(info.attributes).sort()).toEqual(Object.keys(standIn.attributes).sort());
        called.answer();
        const { at } = await called.event('CALL_ESTABLISHED');
        await command.succeeds();
        expect(command.stdout).toMatch(/^answered/);
        await until('7 s', () => Date.now() - at > 7_000);
        called.hangUp();
        const { end_reason } = await ended(room);
        const heard = called.heard();
        process.stderr.write(
          `greeting ${firstSound(heard)} s after the answer, ${heard.length / PHONE_RATE} s, ${end_reason}\n`,
        );
        expect(firstSound(heard)).toBeLessThan(1);
        // All of it: no word was said to a phone that rang.
        const lastSound = heard.findLastIndex((sample) => Math.abs(sample) > AUDIBLE) / PHONE_RATE;
        expect(lastSound).toBeGreaterThan(GREETING_S - 0.5);
        expect(end_reason).toBe('participant_disconnected');
      },
      CALL_MS,
    );

    it(
      'and is busy ends the call',
      async () => {
        const number = '+15557650004';
        const busy = await phone(number);
        const { command, room } = await dial(number, busy.address, 30);
        await busy.event('CALL_INCOMING');
        busy.hangUp();
        expect(await command.exited).toBe(1);
        expect(command.stdout).toContain('(busy, SIP 486)');
        expect((await ended(room)).end_reason).toBe('busy');
      },
      CALL_MS,
    );

    (which('sipp', process.env) ? it : it.skip)(
      'and declines ends the call',
      async () => {
        const number = '+15557650006';
        const port = await freePort();
        const sipp = new ManagedProcess('sipp', 'sipp', [
          ...['-sf', DECLINES, '-i', '127.0.0.1', '-p', `${port}`, '-m', '1', '-nostdin'],
        ]);
        stops.push(() => sipp.stop());
        const { command, room } = await dial(number, `127.0.0.1:${port}`, 30);
        expect(await command.exited).toBe(1);
        expect(command.stdout).toContain('(refused, SIP 603)');
        expect((await ended(room)).end_reason).toBe('refused');
      },
      CALL_MS,
    );

    it(
      'and does not answer ends the call',
      async () => {
        const number = '+15557650005';
        const nobody = await phone(number);
        const { command, room } = await dial(number, nobody.address, 4);
        await nobody.event('CALL_INCOMING');
        expect(await command.exited).toBe(1);
        expect(command.stdout).toContain('(no_answer');
        expect((await ended(room)).end_reason).toBe('no_answer');
        await nobody.event('CALL_CLOSED');
      },
      CALL_MS,
    );
  });
});
