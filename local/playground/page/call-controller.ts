// SPDX-License-Identifier: Apache-2.0

import { ConnectionError, ConnectionErrorReason, DisconnectReason } from 'livekit-client';
import { newRecord } from '../state/call-state.js';
import { newCall, type Ticket, target } from './api.js';
import { type Levels, Tape } from './call-recorder.js';
import { devices, refreshDevices, remember } from './devices.js';
import { Microphone } from './microphone.js';
import { othersInCall, tellOthers } from './other-tabs.js';
import type { Problem } from './problems.js';
import * as problem from './problems.js';
import { keep, kept } from './reload.js';
import { Line } from './room-connection.js';
import {
  type AgentState,
  happened,
  levels,
  phone,
  raise,
  settle,
  targetNow,
  wire,
} from './state.js';

/** An agent that is there at all comes sooner. */
const AGENT_AFTER_MS = 10_000;
/** After the connection is back the agent is seen again within this time, if it is still there. */
const AGENT_GONE_MS = 2_500;

/** What lives as long as a call. */
interface Parts {
  line: Line;
  tape?: Tape | undefined;
  microphone?: Microphone;
  agentTimer?: ReturnType<typeof setTimeout>;
  agentIdentity?: string;
  lost: boolean;
}
let parts: Parts | undefined;
/** The sound of the last call stays until the next one. */
let lastTape: Tape | undefined;

export async function start(): Promise<void> {
  try {
    phone.merge({ target: await target() });
  } catch {
    raise(problem.noServer(targetNow()));
  }
  const before = kept();
  if (before) {
    phone.merge({ record: before.record, agent: 'ended' });
    wire.set(before.wire);
    raise(problem.wasReloaded);
  }
  await refreshDevices().catch(() => {});
  navigator.mediaDevices?.addEventListener('devicechange', () => void refreshDevices());
  othersInCall((others) =>
    others && phone.get().inCall ? raise(problem.otherTab) : settle('tab'),
  );
  window.addEventListener('pagehide', () => {
    const { inCall, record } = phone.get();
    if (inCall && record) keep(record, wire.get());
    void parts?.line.hangUp();
  });
}

export async function call(): Promise<void> {
  if (phone.get().inCall) return;
  lastTape = undefined;
  wire.set([]);
  phone.merge({
    agent: 'connecting',
    inCall: true,
    record: newRecord(Date.now()),
    problems: [],
    muted: false,
    talking: false,
    microphone: false,
    taped: false,
  });
  const mine: Parts = { line: new Line(events()), lost: false };
  parts = mine;
  const still = () => parts === mine;
  let ticket: Ticket;
  // First: browsers let a page be heard soon after a click. A call without meters and download is still a call.
  mine.tape = await Tape.open({ level: heardLevels, sound: heardSound }).catch(() => undefined);
  lastTape = mine.tape;
  try {
    ticket = await newCall();
  } catch (error) {
    return fail(
      error instanceof TypeError ? problem.noServer(targetNow()) : unknownProblem(error),
      mine,
    );
  }
  if (!still()) return;
  await openMicrophone();
  if (!still()) return;
  try {
    await mine.line.connect(ticket);
    if (!still()) return void mine.line.hangUp();
    happened({ kind: 'answered', at: Date.now() });
    phone.merge({ taped: mine.tape !== undefined });
    if (mine.microphone) await mine.line.publish(mine.microphone.track);
    if (devices.get().speaker) await chooseSpeaker(devices.get().speaker);
  } catch (error) {
    return fail(connectProblem(error), mine);
  }
  tellOthers(true);
  mine.agentTimer = setTimeout(() => {
    if (still() && !mine.line.agentHere) raise(problem.noAgent(targetNow()));
  }, AGENT_AFTER_MS);
}

export async function hangUp(): Promise<void> {
  const line = parts?.line;
  over();
  await line?.hangUp();
}

export async function openMicrophone(): Promise<void> {
  const mine = parts;
  if (!mine || mine.microphone) return;
  try {
    const microphone = await Microphone.open(devices.get().microphone, (track) =>
      mine.tape?.hear('you', track),
    );
    if (parts !== mine) return microphone.close();
    mine.microphone = microphone;
    if (phone.get().pushToTalk) microphone.hold(true);
    phone.merge({ microphone: true });
    settle('microphone');
    // In the middle of a call; at its beginning there is nothing to publish to yet.
    if (phone.get().record?.answeredAt) await mine.line.publish(microphone.track);
    await refreshDevices();
  } catch (error) {
    raise(problem.microphoneProblem(error, () => void openMicrophone()));
  }
}

export async function chooseMicrophone(id: string): Promise<void> {
  const microphone = parts?.microphone;
  if (!microphone) return openMicrophone();
  try {
    await microphone.use(id);
    for (const was of ['silent', 'microphone']) settle(was);
  } catch (error) {
    raise(problem.microphoneProblem(error, () => void chooseMicrophone(devices.get().microphone)));
  }
}

export async function chooseSpeaker(id: string): Promise<void> {
  try {
    await parts?.line.speakThrough(id);
    settle('speaker');
  } catch {
    raise(problem.noSpeaker);
  }
}

export async function mute(muted: boolean): Promise<void> {
  phone.merge({ muted });
  await parts?.microphone?.mute(muted);
}

export function pushToTalk(on: boolean): void {
  phone.merge({ pushToTalk: on, talking: false });
  remember('pushToTalk', on ? 'yes' : 'no');
  parts?.microphone?.hold(on);
}

/** Push-to-talk: the user presses or lets go. */
export function talk(talking: boolean): void {
  const state = phone.get();
  if (!state.pushToTalk || state.talking === talking) return;
  phone.merge({ talking });
  parts?.microphone?.hold(!talking);
}

export async function sendText(text: string): Promise<void> {
  await parts?.line.sendText(text);
}

export async function unblock(): Promise<void> {
  await parts?.line.unblock().catch(() => {});
}

export function sound(): Blob | undefined {
  return lastTape && lastTape.seconds > 0 ? lastTape.wav() : undefined;
}

function events(): ConstructorParameters<typeof Line>[0] {
  const mine = () => parts;
  return {
    happened,
    agent: (state, identity) => {
      const now = mine();
      if (!now) return;
      if (!state) return agentGone(now);
      if (now.agentIdentity && now.agentIdentity !== identity) raise(problem.newAgent);
      else settle('agent');
      now.agentIdentity = identity;
      if (!now.lost) phone.merge({ agent: asAgentState(state) });
    },
    voice: (track) => mine()?.tape?.hear('agent', track),
    link: (state) => {
      const now = mine();
      if (!now || now.lost === (state === 'lost')) return;
      now.lost = state === 'lost';
      happened({ kind: 'link', at: Date.now(), state });
      if (state === 'lost') {
        settle('silent');
        raise(problem.connectionLost);
        phone.merge({ agent: 'reconnecting' });
        void lookForServer(now);
      } else {
        settle('link');
        phone.merge({ agent: 'connecting' });
        now.line.tellAgent();
        // LiveKit may have closed the room meanwhile: then it sends an agent to the new one.
        if (!now.line.agentHere) agentGone(now, AGENT_AFTER_MS);
      }
    },
    blocked: (blocked) => phone.merge({ blocked }),
    ended: (reason) => {
      // A call that never came about fails where it was begun.
      if (!mine() || !phone.get().record?.answeredAt) return;
      over();
      if (reason !== DisconnectReason.CLIENT_INITIATED) raise(endProblem(reason));
    },
  };
}

/** The command behind the page runs LiveKit too, unless that is deployed: without it there is nothing to wait for. */
async function lookForServer(of: Parts): Promise<void> {
  if (!navigator.onLine || targetNow().kind === 'stack') return;
  await target().catch(() => {
    if (parts !== of || !of.lost) return;
    void hangUp();
    raise(problem.noServer(targetNow()));
  });
}

/** The agent is not in the room any more; soon it may be again, and then it was only the connection. */
function agentGone(of: Parts, afterMs = AGENT_GONE_MS): void {
  clearTimeout(of.agentTimer);
  if (of.lost) return;
  of.agentTimer = setTimeout(() => {
    if (parts !== of || of.lost || of.line.agentHere) return;
    void hangUp();
    raise(problem.agentLeft(phone.get().record?.endReason));
  }, afterMs);
}

function endProblem(reason: DisconnectReason | undefined): Problem {
  const { record } = phone.get();
  if (record?.endReason) return problem.agentLeft(record.endReason);
  switch (reason) {
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
    case DisconnectReason.PARTICIPANT_REMOVED:
      return problem.agentLeft(undefined);
    default:
      return problem.connectionGone;
  }
}

function over(): void {
  const ended = parts;
  if (!ended) return;
  parts = undefined;
  clearTimeout(ended.agentTimer);
  ended.microphone?.close();
  ended.tape?.stop();
  tellOthers(false);
  happened({ kind: 'hung_up', at: Date.now() });
  for (const id of ['link', 'agent', 'silent', 'tab', 'microphone', 'speaker']) settle(id);
  levels.set({ you: 0, agent: 0 });
  phone.merge({
    agent: 'ended',
    inCall: false,
    microphone: false,
    muted: false,
    talking: false,
    blocked: false,
    taped: (ended.tape?.seconds ?? 0) > 0,
  });
}

function fail(why: Problem, mine: Parts): void {
  if (parts !== mine) return;
  over();
  void mine.line.hangUp();
  // There was no call to look back at.
  phone.merge({ agent: 'idle', record: undefined, taped: false });
  raise(why);
}

function heardLevels(now: Levels): void {
  levels.set(now);
  const { agent } = phone.get();
  if (agent !== 'listening') return;
  const wrong = parts?.microphone?.watch(now.you, Date.now());
  if (wrong) raise(wrong);
  else settle('silent');
}

function heardSound(audible: boolean, at: number): void {
  happened({ kind: 'sound', at, audible });
}

function connectProblem(error: unknown): Problem {
  if (!(error instanceof ConnectionError)) return unknownProblem(error);
  return error.reason === ConnectionErrorReason.NotAllowed
    ? problem.keysRefused(targetNow())
    : problem.noLiveKit(targetNow());
}

function unknownProblem(error: unknown): Problem {
  const advice = error instanceof Error ? error.message : String(error);
  return { id: 'call', tone: 'error', title: 'The call cannot begin', advice };
}

function asAgentState(state: string): AgentState {
  if (state === 'listening' || state === 'thinking' || state === 'speaking') return state;
  return state === 'idle' ? 'listening' : 'connecting';
}
