// SPDX-License-Identifier: Apache-2.0

import { log, type metrics, voice } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import type {
  BargeIn,
  NovaSonicErrorKind,
  RealtimeSession,
  StreamLifecycle,
  TurnTiming,
} from 'livekit-plugin-nova-sonic';
import type { CallReporter, SupervisorClient } from '../supervision/supervisor-client.js';
import type { RoomsApi } from '../watcher/rooms-api.js';
import { timeToAnswer } from '../watcher/time-to-answer.js';

/** Errors at connect that are the lane's fault, so that other calls should skip it for a while. */
const LANE_ERRORS = new Set<NovaSonicErrorKind | undefined>([
  'throttled',
  'access_denied',
  'credentials',
  'model_not_found',
  'service',
  'connection',
  'no_response',
]);

/** Whether the plugin has given the call up, after Bedrock throttled the last lane that it tried. */
const gaveUpThrottled = (error: unknown): boolean => {
  const { kind, cause } = error as { kind?: string; cause?: { kind?: string } };
  return kind === 'gave_up' && cause?.kind === 'throttled';
};

/** Measures one call: its tools, turns, interruptions, tokens and Bedrock streams. */
export class CallMetrics {
  readonly #callId: string;
  readonly #reporter: CallReporter;
  readonly #supervisor: Pick<SupervisorClient, 'reportConnect'>;
  readonly #waits: () => boolean;
  #session: voice.AgentSession | undefined;
  #bargeInAt: number | undefined;
  /** When each stream that is being opened was requested, by stream id. */
  readonly #requestedAt = new Map<string, number>();

  /** @param waits whether the call waits for a lane, while each refusal is one of many */
  constructor(
    callId: string,
    reporter: CallReporter,
    supervisor: Pick<SupervisorClient, 'reportConnect'>,
    waits = () => false,
  ) {
    this.#callId = callId;
    this.#reporter = reporter;
    this.#supervisor = supervisor;
    this.#waits = waits;
  }

  observeSession(session: voice.AgentSession): void {
    const { AgentSessionEventTypes: Events } = voice;
    this.#session = session;
    session.on(Events.FunctionToolsExecuted, ({ functionCalls, functionCallOutputs }) => {
      functionCalls.forEach((call, index) => {
        const output = functionCallOutputs[index];
        if (output) this.#add('ToolDuration', Math.max(0, output.createdAt - call.createdAt));
        if (output?.isError) this.#add('ToolErrors');
      });
    });
    session.on(Events.AgentStateChanged, ({ newState }) => {
      if (newState !== 'speaking') this.#agentSilent();
    });
  }

  /** Measures the time to answer, at the first sound of the agent: by then LiveKit has reported who came when. */
  observeAnswer(
    session: voice.AgentSession,
    room: Room,
    caller: string,
    rooms: Pick<RoomsApi, 'listMembers' | 'listDispatches'>,
  ): void {
    const { AgentStateChanged } = voice.AgentSessionEventTypes;
    const spoke = ({ newState }: { newState: string }) => {
      if (newState !== 'speaking') return;
      session.off(AgentStateChanged, spoke);
      const agent = room.localParticipant?.identity ?? '';
      const call = { room: room.name ?? '', caller, agent };
      timeToAnswer(rooms, call, Date.now())
        .then((ms) => ms !== undefined && this.#add('TimeToAnswer', ms))
        .catch((error) => log().debug({ error }, 'the time to answer is not known'));
    };
    session.on(AgentStateChanged, spoke);
  }

  observeRealtimeSession(session: RealtimeSession): void {
    session.on('stream_lifecycle', (stream: StreamLifecycle) => {
      this.#reportConnect(stream);
      this.#streamChanged(stream);
    });
    session.on('error', ({ error }: { error: unknown }) => {
      if (gaveUpThrottled(error)) this.#add('CallsWithoutRegion');
    });
    session.on('turn_timing', ({ userSpeechEndedAt, firstAudioAt }: TurnTiming) => {
      this.#add('Turns');
      if (userSpeechEndedAt === undefined || firstAudioAt === undefined) return;
      this.#add('TimeToFirstAudio', Math.max(0, firstAudioAt - userSpeechEndedAt));
    });
    session.on('barge_in', ({ at }: BargeIn) => {
      this.#bargeInAt = at;
      // The agent may have fallen silent before this event, in the same step.
      if (this.#session?.agentState !== 'speaking') this.#agentSilent();
    });
    session.on('metrics_collected', (usage: metrics.RealtimeModelMetrics) => {
      const { inputTokenDetails: input, outputTokenDetails: output } = usage;
      this.#add('InputSpeechTokens', input.audioTokens);
      this.#add('InputTextTokens', input.textTokens);
      this.#add('OutputSpeechTokens', output.audioTokens);
      this.#add('OutputTextTokens', output.textTokens);
    });
  }

  #agentSilent(): void {
    if (this.#bargeInAt === undefined) return;
    this.#add('InterruptionLatency', Math.max(1, Date.now() - this.#bargeInAt));
    this.#bargeInAt = undefined;
  }

  #streamChanged({ type, streamId, region, lane, reason, kind }: StreamLifecycle): void {
    const fields = { call_id: this.#callId, stream_id: streamId, region, lane, reason, kind };
    if (type === 'opened' || type === 'renewed' || type === 'failed_over') {
      this.#reporter.reportStream(streamId, lane);
    }
    if (type === 'renewed') this.#add('StreamRenewals');
    if (type === 'failed_over') this.#add('Failovers');
    if (type === 'throttled') this.#add('Throttles', 1, lane);
    if (type === 'failed') this.#add('StreamErrors', 1, kind ?? 'unknown');
    const failed = type === 'throttled' || type === 'failed';
    log()[failed && !this.#waits() ? 'warn' : 'debug'](fields, `stream ${type}`);
  }

  /** Only the outcome of connecting counts: a failure later in a stream's life says little about the lane. */
  #reportConnect({ type, streamId, lane, kind, at }: StreamLifecycle): void {
    if (type === 'opening') {
      this.#requestedAt.set(streamId, at);
      return;
    }
    const requestedAt = this.#requestedAt.get(streamId);
    if (requestedAt === undefined) return;
    this.#requestedAt.delete(streamId);
    const ok = type === 'opened';
    if (ok || LANE_ERRORS.has(kind)) {
      const full = kind === 'throttled';
      const ms = Math.max(0, at - requestedAt);
      this.#supervisor.reportConnect({ lane, ok, ...(full && { full }), ms });
    }
  }

  #add(...args: Parameters<CallReporter['addMetric']>): void {
    this.#reporter.addMetric(...args);
  }
}
