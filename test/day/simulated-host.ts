// SPDX-License-Identifier: Apache-2.0

import type { CallSupervisor } from '../../agent/src/supervision/call-supervisor.js';
import type {
  CallCounter,
  JobReport,
  SupervisorMessage,
} from '../../agent/src/supervision/supervisor-messages.js';
import type { OfferedJob } from '../agent/watcher/simulated-livekit.js';
import type { TaskWorld } from './task-world.js';

const BOOT_MS = 1_500;
const HEARTBEAT_MS = 1_000;
/** From the assignment of a job until its agent is in the room. */
const JOIN_MS = 400;
const CLOSE_MS = 100;
const TURN_MS = 15_000;
/** Of the service: a stream lives for 8 minutes at most. */
const RENEW_MS = 420_000;
/** A caller who is not there when the agent comes has so long to come back (WAIT_FOR_CALLER_S). */
const NO_CALLER_MS = 60_000;

interface RunningCall {
  readonly job: OfferedJob;
  joined: boolean;
  over: boolean;
  resumed: boolean;
}

/** The task that a host is part of. */
interface HostTask {
  /** While the task lives. */
  after(ms: number, fn: () => void): void;
  hostReady(): void;
  hostEnded(host: SimulatedHost): void;
  /** A value that the supervisor was told of. */
  noteReported(metric: string, value: number): void;
}

/** A process that carries calls: reports to the supervisor as one does, and can die or hang. */
export class SimulatedHost {
  readonly calls = new Map<string, RunningCall>();
  ready = false;
  retired = false;
  alive = true;
  /** Its event loop is blocked: it reports nothing, and hears nothing. */
  hangs = false;
  readonly #world: TaskWorld;
  readonly #connection: ReturnType<CallSupervisor['connected']>;
  readonly #task: HostTask;

  constructor(
    readonly pid: number,
    world: TaskWorld,
    supervisor: CallSupervisor,
    task: HostTask,
  ) {
    this.#world = world;
    this.#task = task;
    this.#connection = supervisor.connected({
      send: (message) => this.#receive(message),
      kill: () => this.die(),
    });
    this.#after(BOOT_MS, () => {
      this.ready = true;
      this.#report({ type: 'hello', pid });
      this.#beat();
      task.hostReady();
    });
  }

  /** Runs a job, or takes it up whose process died. */
  run(job: OfferedJob): void {
    const call: RunningCall = { job, joined: false, over: false, resumed: false };
    this.calls.set(job.id, call);
    this.#report({ type: 'call', job: job.id, room: job.room, roomSid: job.roomSid });
    this.#after(JOIN_MS, () => this.#join(call));
  }

  /** The caller has left the room of a call. */
  callerLeft(room: string): void {
    if (this.hangs) return;
    for (const call of this.calls.values())
      if (call.job.room === room && call.joined) this.#end(call, 'participant_disconnected');
  }

  /** Exits once its last call has ended. */
  retire(): void {
    this.retired = true;
    if (this.calls.size === 0) this.die();
  }

  /** SIGKILL, a crash, or the end of the task. */
  die(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const { job, joined, over } of this.calls.values())
      if (joined && !over) this.#world.agentLost(job);
    // The worker reads the end of the socket a moment later.
    this.#task.after(1, () => this.#connection.disconnected());
    this.#task.hostEnded(this);
  }

  #join(call: RunningCall): void {
    if (call.over) return;
    const { job } = call;
    if (!this.#world.livekit.agentJoins(job)) {
      this.#end(call, 'already_answered');
      return;
    }
    call.joined = true;
    this.#world.agentJoined(job);
    this.#report({ type: 'caller', job: job.id, identity: `caller-${job.room}` });
    this.#openStream(call);
    this.#after(this.#world.random() * TURN_MS, () => this.#turn(call));
    if (this.#world.talks(job.room)) return;
    this.#after(NO_CALLER_MS, () => {
      if (!this.#world.talks(job.room)) this.#end(call, 'no_caller');
    });
  }

  #openStream(call: RunningCall): void {
    if (call.over) return;
    const { random } = this.#world;
    const id = `stream-${Math.floor(random() * 1e9)}`;
    // Now and then a Region has no stream left: then the next one is asked.
    const throttled = random() < 0.02;
    if (throttled) {
      this.#report({ type: 'connect', lane: 'us-east-1', ok: false, ms: 30 });
      this.#add(call, 'Throttles', 1, 'us-east-1');
      this.#add(call, 'Failovers', 1);
    }
    const region = throttled ? 'us-west-2' : 'us-east-1';
    this.#report({ type: 'connect', lane: region, ok: true, ms: 30 });
    this.#report({ type: 'stream', job: call.job.id, id, lane: region });
    this.#after(RENEW_MS, () => {
      if (call.over) return;
      this.#add(call, 'StreamRenewals', 1);
      this.#openStream(call);
    });
  }

  #turn(call: RunningCall): void {
    if (call.over) return;
    const { random } = this.#world;
    const count = (most: number) => Math.floor(random() * most);
    this.#add(call, 'Turns', 1);
    this.#add(call, 'TimeToFirstAudio', 400 + count(800));
    this.#add(call, 'InputSpeechTokens', count(400));
    this.#add(call, 'OutputSpeechTokens', count(900));
    this.#add(call, 'InputTextTokens', count(100));
    this.#add(call, 'OutputTextTokens', count(200));
    if (random() < 0.002) this.#add(call, 'StreamErrors', 1, 'ModelStreamErrorException');
    const text = `turn at ${this.#world.clock.now()}`;
    this.#report({
      type: 'said',
      job: call.job.id,
      item: { id: text, role: 'assistant', text, interrupted: false },
    });
    this.#after(TURN_MS * (0.5 + random()), () => this.#turn(call));
  }

  #add(call: RunningCall, metric: CallCounter, value: number, split?: string): void {
    if (this.alive && !this.hangs) this.#task.noteReported(metric, value);
    this.#report({ type: 'add', job: call.job.id, metric, value, ...(split && { split }) });
  }

  #receive(message: SupervisorMessage): void {
    if (!this.alive || this.hangs) return;
    if (message.type === 'cooldowns') return;
    const call = this.calls.get(message.job);
    if (!call) return;
    if (message.type === 'resume') {
      call.resumed = true;
      if (message.end) this.#sayGoodbye(call, message.end);
    } else if (message.type === 'end_gracefully') this.#sayGoodbye(call, message.reason);
    else this.#after(300, () => this.#endByAgent(call, message.reason));
  }

  #sayGoodbye(call: RunningCall, reason: string): void {
    this.#after(2_000 + 4_000 * this.#world.random(), () => this.#endByAgent(call, reason));
  }

  /** The caller is disconnected after the last word. */
  #endByAgent(call: RunningCall, reason: string): void {
    if (call.over) return;
    this.#end(call, reason);
    this.#world.callerDisconnected(call.job, reason);
  }

  #end(call: RunningCall, reason: string): void {
    if (call.over) return;
    call.over = true;
    const { job } = call;
    this.#report({ type: 'ended', job: job.id, reason });
    if (call.joined) this.#world.agentLeft(job);
    this.#after(CLOSE_MS, () => {
      this.calls.delete(job.id);
      this.#report({ type: 'closed', job: job.id });
      if (this.retired && this.calls.size === 0) this.die();
    });
  }

  #beat(): void {
    this.#report({ type: 'alive', rssMB: 150 + 4 * this.calls.size });
    this.#after(HEARTBEAT_MS, () => this.#beat());
  }

  #report(report: JobReport): void {
    if (this.alive && !this.hangs) this.#connection.report(report);
  }

  #after(ms: number, fn: () => void): void {
    this.#task.after(ms, () => {
      if (this.alive && !this.hangs) fn();
    });
  }
}
