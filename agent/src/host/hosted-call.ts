// SPDX-License-Identifier: Apache-2.0

import {
  type AgentDefinition,
  JobContext,
  type JobProcess,
  log,
  type RunningJobInfo,
  runWithJobContextAsync,
} from '@livekit/agents';
import { RoomEvent } from '@livekit/rtc-node';
import { runInTrace, traceFields } from '../tracing/tracing.js';
import { CallRoom, runInCall } from './call-context.js';

/**
 * How long each step of the end of a call may take, in milliseconds: those of the framework's own job process, except
 * that it gives the session 60 s, which a session takes whose caller hung up before hearing the agent's first audio
 * (1.9.0 waits for that caller to subscribe). The slot of such a call is wanted sooner; nothing is left to be done.
 */
const ENTRY_MS = 15_000;
const SESSION_CLOSE_MS = 3_000;
const CALLBACK_MS = 60_000;
const ROOM_CLOSE_MS = 10_000;

/** The framework hands its jobs a client for local models, of which a speech-to-speech agent has none. */
const NO_INFERENCE = {
  doInference: () => Promise.reject(new Error('Local inference is not available in this worker.')),
};

/**
 * One of the calls of a host process: what the framework's job process does for its single job (1.9.0,
 * ipc/job_proc_lazy_main.ts), in an async context of its own, and without the process.
 */
export class HostedCall {
  readonly id: string;
  readonly #agent: AgentDefinition;
  readonly #process: JobProcess;
  readonly #info: RunningJobInfo;
  readonly #closing: Promise<string>;
  #close: (reason: string) => void = () => {};

  constructor(agent: AgentDefinition, process: JobProcess, info: RunningJobInfo) {
    this.id = info.job.id;
    this.#agent = agent;
    this.#process = process;
    this.#info = info;
    this.#closing = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  /** Ends the call in order; the first reason counts. */
  close(reason: string): void {
    this.#close(reason);
  }

  /** Runs the call from its first moment to its last clean-up. Never rejects. */
  run(): Promise<void> {
    const { job } = this.#info;
    const logger = log().child({
      ...{ call_id: job.id, room_sid: job.room?.sid },
      ...traceFields(job.id),
    });
    const run = async () => {
      const room = new CallRoom();
      room.on(RoomEvent.Disconnected, () => this.close('room disconnected'));
      const ctx = new JobContext(
        this.#process,
        this.#info,
        room,
        () => {},
        (reason) => this.close(reason),
        NO_INFERENCE,
      );
      await runWithJobContextAsync(ctx, () => this.#live(ctx)).catch((error) =>
        logger.error({ error }, 'clean-up of the call failed'),
      );
    };
    return runInCall({ callId: job.id, logger }, () => runInTrace(job.id, run));
  }

  async #live(ctx: JobContext): Promise<void> {
    const entry = this.#enter(ctx);
    log().debug({ reason: await this.#closing }, 'call closes');
    await step('the entry function', ENTRY_MS, () => entry);
    const session = ctx._primaryAgentSession;
    await step('the session', SESSION_CLOSE_MS, () => session?.close());
    await step('the end-of-session callback', CALLBACK_MS, () => this.#agent.onSessionEnd?.(ctx));
    await step('the room', ROOM_CLOSE_MS, () => ctx.room.disconnect());
    await step('the shutdown callbacks', CALLBACK_MS, () =>
      Promise.allSettled(ctx.shutdownCallbacks.map((callback) => callback())),
    );
  }

  async #enter(ctx: JobContext): Promise<void> {
    try {
      await this.#agent.entry(ctx);
    } catch (error) {
      log().error({ error }, 'error in the entry function');
      this.close('job crashed');
    }
  }
}

/** One step of the clean-up: neither its failure nor its slowness keeps the next from happening. */
async function step(what: string, patienceMs: number, run: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log().warn({ timeout_ms: patienceMs }, `${what} did not end in time`);
      resolve();
    }, patienceMs);
  });
  const done = Promise.resolve()
    .then(run)
    .catch((error) => log().error({ error }, `${what} failed while closing`));
  await Promise.race([done, late]);
  clearTimeout(timer);
}
