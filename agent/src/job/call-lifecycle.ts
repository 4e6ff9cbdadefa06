// SPDX-License-Identifier: Apache-2.0

// The fleet's side of a job process: it tells the main process that it is warm, what happens in its call, and
// does what the main process orders.

import { type JobContext, type JobProcess, log, type metrics, voice } from '@livekit/agents';
import { ConnectionState, ParticipantKind, RoomEvent } from '@livekit/rtc-node';
import {
  type BargeIn,
  type NovaSonicErrorKind,
  prewarm,
  type RealtimeSession,
  type StreamLifecycle,
  type TurnTiming,
} from 'livekit-plugin-nova-sonic';
import { readSettings, type Settings } from '../config.js';
import type { Order } from '../supervision/call-record.js';
import { CallReporter } from '../supervision/supervisor-client.js';
import { keepPiiOut } from '../telemetry/redaction.js';

/** Leaves the session time to close before the main process gives the order to end. */
const GOODBYE_MARGIN_MS = 2_000;

/** Failures at the connect for which the Region is to blame, so that other calls may pass it over. */
const REGIONAL = new Set<NovaSonicErrorKind | undefined>([
  'throttled',
  'access_denied',
  'model_not_found',
  'service',
  'connection',
  'no_response',
]);

let reporter: CallReporter | undefined;

/** For `prewarm` of the agent: from here on the process counts as warm. */
export async function warm(_process: JobProcess): Promise<void> {
  if (!readSettings(process.env).logPii) keepPiiOut();
  await prewarm();
  reporter = new CallReporter();
}

/** One call as the fleet sees it. */
export class FleetCall {
  readonly #ctx: JobContext;
  readonly #settings: Settings;
  readonly #reporter: CallReporter;
  #session: voice.AgentSession | undefined;
  #bargedInAt: number | undefined;
  /** Streams that are being opened, by id: since when. */
  readonly #opening = new Map<string, number>();
  /** We ended the call ourselves. */
  #over = false;

  private constructor(ctx: JobContext, settings: Settings) {
    this.#ctx = ctx;
    this.#settings = settings;
    this.#reporter = reporter ?? new CallReporter();
    const room = ctx.job.room;
    this.#reporter.call(
      { job: ctx.job.id, room: room?.name ?? '', roomSid: room?.sid ?? '' },
      (order) => void this.#obey(order),
      () => ctx.shutdown('worker lost'),
    );
    ctx.addShutdownCallback(async () => this.#reporter.ended('closed'));
    // The framework closes the session then, as if we had wished it.
    ctx.room.on(RoomEvent.Disconnected, () => this.#reporter.ended('room_disconnected'));
    this.#watchCaller();
  }

  /** Runs the entry function of a call; when it throws, the call has failed. */
  static async run(
    ctx: JobContext,
    settings: Settings,
    entry: (call: FleetCall) => Promise<void>,
  ): Promise<void> {
    const call = new FleetCall(ctx, settings);
    try {
      await entry(call);
    } catch (error) {
      // The call was ended, or its room closed, while it was being set up: nothing has failed.
      if (call.#over || !ctx.room.isConnected) {
        call.#reporter.ended('room_disconnected');
        ctx.shutdown('room_disconnected');
        return;
      }
      log().error({ error, call_id: ctx.job.id }, 'the call could not be set up');
      call.#reporter.ended('failed', true);
      throw error;
    }
  }

  /**
   * Ends a call that nobody is in: a caller may hang up before the agent comes, or in the moment in which it does,
   * which the framework does not notice. The slot would be held until LiveKit closes the room, five minutes by
   * default.
   */
  #watchCaller(): void {
    const { waitForCallerMs } = this.#settings.fleet;
    if (waitForCallerMs === 0) return;
    let seenAt = performance.now();
    setInterval(() => {
      const { room } = this.#ctx;
      const there = [...room.remoteParticipants.values()].some(
        ({ info }) => info.kind !== ParticipantKind.AGENT,
      );
      // While LiveKit itself is away, nobody can be said to be missing: `isConnected` stays true while reconnecting.
      const here = room.connectionState === ConnectionState.CONN_CONNECTED;
      if (there || !here) seenAt = performance.now();
      if (performance.now() - seenAt < waitForCallerMs || this.#over) return;
      log().info({ call_id: this.#ctx.job.id }, 'nobody is in the call');
      this.#end('no_caller');
    }, 1_000).unref();
  }

  #end(reason: string): void {
    this.#over = true;
    this.#reporter.ended(reason);
    this.#ctx.shutdown(reason);
  }

  /** Until when a Region should be passed over; for the plugin's `retry.restsUntil`. */
  readonly restsUntil = (region: string): number | undefined => this.#reporter.restsUntil(region);

  /** Counts what the framework's session tells. */
  watchSession(session: voice.AgentSession): void {
    const { AgentSessionEventTypes: Events } = voice;
    this.#session = session;
    session.on(Events.FunctionToolsExecuted, ({ functionCalls, functionCallOutputs }) => {
      functionCalls.forEach((call, index) => {
        const output = functionCallOutputs[index];
        if (output) this.#reporter.add('ToolMs', Math.max(0, output.createdAt - call.createdAt));
        if (output?.isError) this.#reporter.add('ToolErrors');
      });
    });
    session.on(Events.AgentStateChanged, ({ newState }) => {
      if (newState !== 'speaking') this.#silent();
    });
    session.on(Events.Close, ({ reason }) => this.#reporter.ended(String(reason)));
  }

  /** Counts what one Sonic session tells: its streams, turns, barge-ins and tokens. */
  watchSonic(sonic: RealtimeSession): void {
    sonic.on('stream_lifecycle', (stream: StreamLifecycle) => this.#stream(stream));
    sonic.on('turn_timing', ({ userSpeechEndedAt, firstAudioAt }: TurnTiming) => {
      this.#reporter.add('Turns');
      if (userSpeechEndedAt === undefined || firstAudioAt === undefined) return;
      this.#reporter.add('FirstAudioMs', Math.max(0, firstAudioAt - userSpeechEndedAt));
    });
    sonic.on('barge_in', ({ at }: BargeIn) => {
      this.#bargedInAt = at;
      // The session may have been silenced before this event, in the same step.
      if (this.#session?.agentState !== 'speaking') this.#silent();
    });
    sonic.on('metrics_collected', (usage: metrics.RealtimeModelMetrics) => {
      const { inputTokenDetails: input, outputTokenDetails: output } = usage;
      this.#reporter.add('InputSpeechTokens', input.audioTokens);
      this.#reporter.add('InputTextTokens', input.textTokens);
      this.#reporter.add('OutputSpeechTokens', output.audioTokens);
      this.#reporter.add('OutputTextTokens', output.textTokens);
    });
  }

  #silent(): void {
    if (this.#bargedInAt === undefined) return;
    this.#reporter.add('BargeInMs', Math.max(1, Date.now() - this.#bargedInAt));
    this.#bargedInAt = undefined;
  }

  #stream(stream: StreamLifecycle): void {
    const { type, streamId, region, reason, kind } = stream;
    this.#connect(stream);
    const fields = { call_id: this.#ctx.job.id, stream_id: streamId, region, reason, kind };
    if (type === 'opened' || type === 'renewed' || type === 'failed_over') {
      this.#reporter.stream(streamId, region);
    }
    if (type === 'renewed') this.#reporter.add('StreamRenewals');
    if (type === 'failed_over') this.#reporter.add('FailOvers');
    if (type === 'throttled') this.#reporter.add('Throttles', 1, region);
    if (type === 'failed') this.#reporter.add('StreamErrors', 1, kind ?? 'unknown');
    const bad = type === 'throttled' || type === 'failed';
    log()[bad ? 'warn' : 'debug'](fields, `stream ${type}`);
  }

  /** Tells what came of asking a Region for a stream; a failure later in a stream's life says little of the Region. */
  #connect({ type, streamId, region, kind, at }: StreamLifecycle): void {
    if (type === 'opening') {
      this.#opening.set(streamId, at);
      return;
    }
    const since = this.#opening.get(streamId);
    if (since === undefined) return;
    this.#opening.delete(streamId);
    const ok = type === 'opened';
    if (ok || REGIONAL.has(kind)) {
      this.#reporter.connect({ region, ok, ms: Math.max(0, at - since) });
    }
  }

  async #obey(order: Order): Promise<void> {
    log().info({ order: order.type, reason: order.reason }, 'the worker ends this call');
    const { goodbye, goodbyeMs } = this.#settings.fleet;
    if (order.type === 'goodbye' && this.#session && goodbye) {
      const said = this.#session.generateReply({ instructions: goodbye }).waitForPlayout();
      const wait = Math.max(0, goodbyeMs - GOODBYE_MARGIN_MS);
      await Promise.race([said, new Promise((resolve) => setTimeout(resolve, wait))]).catch(
        (error) => log().warn({ error }, 'the goodbye was not said'),
      );
    }
    this.#end(order.reason);
  }
}
