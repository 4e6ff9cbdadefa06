// SPDX-License-Identifier: Apache-2.0

import { type JobContext, type JobProcess, log, voice } from '@livekit/agents';
import { ConnectionState, type RemoteParticipant, RoomEvent } from '@livekit/rtc-node';
import { prewarm } from 'livekit-plugin-nova-sonic';
import type { CallEventPublisher } from '../call/call-event-publisher.js';
import type { RoomCallers } from '../call/room-callers.js';
import { systemMonotonicClock } from '../clock.js';
import { readWorkerConfig, type WorkerConfig } from '../config.js';
import { stopNativeLogs } from '../host/native-logs.js';
import { assumeRoles } from '../lanes/lane-credentials.js';
import { LaneWait } from '../lanes/lane-wait.js';
import { readLineRecordings } from '../line/line-recordings.js';
import { type CallReporter, SupervisorClient } from '../supervision/supervisor-client.js';
import type { JobCommand } from '../supervision/supervisor-messages.js';
import { installPiiRedaction } from '../telemetry/redaction.js';
import { CallTrace } from '../tracing/call-trace.js';
import { flushTraces, startTracing } from '../tracing/tracing.js';
import { CallMetrics } from './call-metrics.js';
import { EndOfCall } from './end-of-call.js';
import { ConversationKeeper } from './keep-conversation.js';
import { playRecording } from './play-recording.js';
import { CallResumption, type ResumedCall } from './resumed-call.js';
import { tenantOf } from './tenant.js';

/** Leaves the session time to close before the worker process sends `end_now`. */
const CLOSE_MARGIN_MS = 2_000;

const CALLER_CHECK_MS = 1_000;

/** The agent's `prewarm`: when it is done, the supervisor counts the process as warm. */
export async function prewarmProcess(
  _process: JobProcess,
  config = readWorkerConfig(process.env),
): Promise<void> {
  if (!config.logPii) installPiiRedaction();
  if (!stopNativeLogs()) log().warn('rtc-node sends its log to nobody, which costs CPU');
  await Promise.all([startTracing(config), prewarm()]);
  const supervisor = SupervisorClient.ofProcess();
  void assumeRoles(config.lanes, supervisor);
  // How the framework tells a job process of its own (1.9.0, ipc/message.ts) that LiveKit has taken the job back.
  process.on('message', (message: { case?: string }) => {
    if (message?.case === 'shutdownRequest') supervisor.withdrawAll();
  });
}

/** What is known about who is in the room. */
export type CallersInRoom = Pick<RoomCallers, 'caller' | 'onChange'>;

/** Runs one call for the supervisor: reports its start and end, and ends it on command or without a caller. */
export class CallLifecycle {
  readonly metrics: CallMetrics;
  readonly laneWait: LaneWait;
  readonly trace = new CallTrace();
  readonly conversation: ConversationKeeper;
  /** What another process left of the call when it died; undefined for a new call. */
  readonly resumed: Promise<ResumedCall | undefined>;
  readonly #ctx: JobContext;
  readonly #config: WorkerConfig;
  readonly #callers: CallersInRoom;
  readonly #supervisor = SupervisorClient.ofProcess();
  readonly #reporter: CallReporter;
  readonly #end: EndOfCall;
  #session: voice.AgentSession | undefined;
  /** We ended the call ourselves. */
  #ended = false;

  private constructor(ctx: JobContext, config: WorkerConfig, callers: CallersInRoom) {
    this.#ctx = ctx;
    this.#callers = callers;
    this.#config = config;
    const { job } = ctx;
    const resumption = new CallResumption(ctx.info);
    this.resumed = resumption.resumed;
    this.#end = new EndOfCall({ job: job.id, room: job.room?.name ?? '' }, config);
    const tenant = tenantOf(job.metadata, config.tenantMetadataKey);
    this.#reporter = this.#supervisor.callStarted(
      {
        ...{ job: job.id, room: job.room?.name ?? '', roomSid: job.room?.sid ?? '' },
        ...(tenant && { tenant }),
      },
      {
        onCommand: (command) => void this.#handleCommand(command),
        onWorkerLost: () => {
          // Another worker may take the caller.
          void this.#end.leave('worker lost');
          ctx.shutdown('worker lost');
        },
        onResume: resumption.receive,
        onWithdrawn: () => void this.#end.leave('withdrawn'),
      },
    );
    this.laneWait = new LaneWait(job.id, this.#reporter, this.#supervisor, systemMonotonicClock);
    this.metrics = new CallMetrics(
      job.id,
      this.#reporter,
      this.#supervisor,
      () => this.laneWait.waits,
    );
    this.conversation = new ConversationKeeper(this.#reporter);
    ctx.addShutdownCallback(async () => this.#reporter.ended('closed'));
    ctx.addShutdownCallback(() => this.#end.done);
    ctx.addShutdownCallback(() => {
      this.trace.end();
      return flushTraces();
    });
    callers.onChange(({ identities: [caller] }) => {
      if (caller === undefined) return;
      this.#end.caller = caller;
      this.#reporter.reportCaller(caller);
    });
    // The framework then closes the session as if we had asked for it.
    ctx.room.on(RoomEvent.Disconnected, () => this.#reporter.ended('room_disconnected'));
    this.#watchForCaller();
  }

  /** Runs the entry function of a call; when it throws, the call has failed. */
  static async run(
    ctx: JobContext,
    config: WorkerConfig,
    callers: CallersInRoom,
    entry: (call: CallLifecycle) => Promise<void>,
  ): Promise<void> {
    const call = new CallLifecycle(ctx, config, callers);
    try {
      await entry(call);
    } catch (error) {
      // The call was ended, or its room closed, during set-up: nothing has failed.
      if (call.#ended || !ctx.room.isConnected) {
        call.#reporter.ended('room_disconnected');
        ctx.shutdown('room_disconnected');
        return;
      }
      log().error({ error, call_id: ctx.job.id }, 'call setup failed');
      await call.#sayNobodyCanAnswer();
      call.#reporter.ended('failed', true);
      await call.#end.endByAgent('failed');
      throw error;
    }
  }

  /** Until when a lane should be skipped; for the plugin's `retry.cooldownUntil`. */
  readonly cooldownUntil = (lane: string): number | undefined =>
    this.#supervisor.cooldownUntil(lane);

  /** Whom the call is with, and where its end is published. */
  answers(caller: RemoteParticipant, publisher: CallEventPublisher): void {
    this.#end.caller = caller.identity;
    this.#reporter.reportCaller(caller.identity);
    this.#end.publish = (reason) => publisher.end(reason);
  }

  /** Attaches the session: its end is the end of the call, and it gives the last reply. */
  attach(session: voice.AgentSession): void {
    this.#session = session;
    this.metrics.observeSession(session);
    this.trace.observeSession(session);
    this.conversation.observeSession(session);
    session.on(voice.AgentSessionEventTypes.Close, ({ reason }) => {
      this.laneWait.close();
      // Of a failed one the caller still hears some words.
      if (reason !== voice.CloseReason.ERROR) this.#reporter.ended(String(reason));
    });
  }

  /** The session has closed: the agent never stays in a room that it cannot serve, nor its caller. */
  async sessionClosed(reason: string): Promise<void> {
    const failed = reason.startsWith(voice.CloseReason.ERROR);
    const hungUp = reason.startsWith(voice.CloseReason.PARTICIPANT_DISCONNECTED);
    if (failed && !this.#ended) {
      await this.#sayNobodyCanAnswer();
      this.#reporter.ended(voice.CloseReason.ERROR);
    }
    if (hungUp || !this.#ctx.room.isConnected) await this.#end.leave(reason);
    else await this.#end.endByAgent(reason);
    this.#ctx.shutdown(reason);
  }

  /** Without a stream the model cannot speak; silence and a dropped line would be all that the caller gets. */
  async #sayNobodyCanAnswer(): Promise<void> {
    if (!this.#ctx.room.isConnected) return;
    try {
      await playRecording(this.#ctx.room, readLineRecordings(this.#config.line).full);
    } catch (error) {
      log().warn({ error }, 'the recording for callers whom nobody can answer was not played');
    }
  }

  /** Leaves the call to another agent, which was there before. */
  leaveToOther(): void {
    const reason = 'already_answered';
    this.#ended = true;
    this.#reporter.ended(reason);
    void this.#end.leave(reason).then(() => this.#ctx.shutdown(reason));
  }

  /**
   * Ends a call without a caller, whoever else is in the room: a caller may hang up before the agent joins, or in the
   * moment in which it does, which the framework does not notice, or never come back after losing the connection. The
   * slot would be held until LiveKit closes the room, five minutes by default.
   */
  #watchForCaller(): void {
    const { waitForCallerMs } = this.#config;
    if (waitForCallerMs === 0) return;
    let seenAt = performance.now();
    const timer = setInterval(() => {
      // Without a connection nobody can be missed. `isConnected` stays true while reconnecting.
      const connected = this.#ctx.room.connectionState === ConnectionState.CONN_CONNECTED;
      if (this.#callers.caller || !connected) seenAt = performance.now();
      if (performance.now() - seenAt < waitForCallerMs || this.#ended) return;
      this.endWithoutCaller();
    }, CALLER_CHECK_MS).unref();
    this.#ctx.addShutdownCallback(async () => clearInterval(timer));
  }

  callerPresent(identity: string): boolean {
    return this.#ctx.room.remoteParticipants.has(identity);
  }

  /** Ends a call that nobody is in. */
  endWithoutCaller(): void {
    log().info({ call_id: this.#ctx.job.id }, 'no caller in room, ending call');
    void this.leave('no_caller');
  }

  /** The agent ends the call, also for its caller. */
  async end(reason: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#reporter.ended(reason);
    await this.#end.endByAgent(reason);
    this.#ctx.shutdown(reason);
  }

  /** The caller goes on without the agent, or is gone: nobody is disconnected. */
  async leave(reason: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#reporter.ended(reason);
    await this.#end.leave(reason);
    this.#ctx.shutdown(reason);
  }

  async #handleCommand({ type, reason }: JobCommand): Promise<void> {
    log().info({ command: type, reason }, 'ending call on command of the worker');
    if (type === 'end_gracefully') await this.endWithWords(reason);
    else await this.end(reason);
  }

  /** Gives the last reply of END_CALL_INSTRUCTIONS, then ends the call for its caller, too. */
  async endWithWords(reason: string): Promise<void> {
    await this.#giveLastReply();
    await this.end(reason);
  }

  async #giveLastReply(): Promise<void> {
    const { endCallInstructions: instructions, endCallTimeoutMs } = this.#config;
    if (!this.#session || !instructions) return;
    const played = this.#session.generateReply({ instructions }).waitForPlayout();
    const timeout = new Promise<void>((resolve) =>
      setTimeout(resolve, Math.max(0, endCallTimeoutMs - CLOSE_MARGIN_MS)),
    );
    await Promise.race([played, timeout]).catch((error) =>
      log().warn({ error }, 'end-call message failed'),
    );
  }
}
