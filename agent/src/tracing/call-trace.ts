// SPDX-License-Identifier: Apache-2.0

import { voice } from '@livekit/agents';
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type {
  BargeIn,
  RealtimeSession,
  StreamLifecycle,
  TurnTiming,
} from 'livekit-plugin-nova-sonic';

/**
 * Adds to the trace of a call what the framework's spans do not show: Bedrock streams and their renewals and failures, the time to
 * the first audio of each reply, and interruptions. They are children of the call itself, by a context of its own: events of
 * Bedrock come from connections that several calls share. Without traces it does nothing.
 */
export class CallTrace {
  readonly #context: Context;
  readonly #tracer = trace.getTracer('nova-sonic-agent');
  readonly #now: () => number;
  readonly #streams = new Map<string, { span: Span; openedAt: number; reason?: string }>();
  #failedAt: number | undefined;
  #bargeIn: Span | undefined;
  #answer: Span | undefined;
  #session: Pick<voice.AgentSession, 'agentState'> | undefined;

  /** To be made in the trace of the call; see runInTrace. @param now milliseconds since the epoch */
  constructor(now: () => number = Date.now) {
    this.#context = context.active();
    this.#now = now;
    this.#answer = this.#start('answer', this.#now());
  }

  observeSession(session: Pick<voice.AgentSession, 'on' | 'agentState'>): void {
    this.#session = session;
    session.on(voice.AgentSessionEventTypes.AgentStateChanged, ({ newState }) => {
      if (newState !== 'speaking') {
        this.#agentSilent();
        return;
      }
      this.#answer?.end(this.#now());
      this.#answer = undefined;
    });
  }

  observeRealtimeSession(session: Pick<RealtimeSession, 'on'>): void {
    session.on('stream_lifecycle', (event: StreamLifecycle) => this.#streamChanged(event));
    session.on('turn_timing', (timing: TurnTiming) => this.#replied(timing));
    session.on('barge_in', ({ at, sign, responseId }: BargeIn) => {
      this.#bargeIn?.end(at);
      this.#bargeIn = this.#start('barge_in', at, {
        'nova_sonic.sign': sign,
        ...(responseId && { 'gen_ai.response.id': responseId }),
      });
      // The agent may have fallen silent before this event, in the same step.
      if (this.#session?.agentState !== 'speaking') this.#agentSilent();
    });
  }

  /** The call has ended. */
  end(): void {
    const now = this.#now();
    this.#agentSilent();
    this.#answer?.setStatus({ code: SpanStatusCode.ERROR }).end(now);
    this.#answer = undefined;
    for (const { span } of this.#streams.values()) span.end(now);
    this.#streams.clear();
  }

  #start(name: string, startTime: number, attributes: Attributes = {}): Span {
    return this.#tracer.startSpan(name, { startTime, attributes }, this.#context);
  }

  #agentSilent(): void {
    this.#bargeIn?.end(this.#now());
    this.#bargeIn = undefined;
  }

  #streamChanged(event: StreamLifecycle): void {
    const { type, streamId, at, reason, kind } = event;
    if (type === 'opening') {
      const span = this.#start('bedrock_stream', at, ofStream(event));
      this.#streams.set(streamId, { span, openedAt: at, ...(reason && { reason }) });
      return;
    }
    const stream = this.#streams.get(streamId);
    switch (type) {
      case 'opened':
        if (event.openMs !== undefined)
          stream?.span.setAttribute('nova_sonic.open_ms', event.openMs);
        return;
      case 'renewed':
        this.#start('renewal', stream?.openedAt ?? at, ofStream(event)).end(at);
        return;
      case 'failed_over':
        this.#start('failover', this.#failedAt ?? at, ofStream(event)).end(at);
        return;
      default:
        this.#streams.delete(streamId);
        if (type === 'closed') {
          // A stream that was replaced keeps the reason why it was opened.
          if (reason && reason !== stream?.reason)
            stream?.span.setAttribute('nova_sonic.end_reason', reason);
        } else {
          this.#failedAt = at;
          stream?.span.setAttribute('error.type', kind ?? 'unknown');
          stream?.span.setStatus({ code: SpanStatusCode.ERROR });
        }
        stream?.span.end(at);
    }
  }

  #replied(timing: TurnTiming): void {
    const { responseId, userSpeechEndedAt, firstAudioAt, interrupted, toolWaitMs, audioMs } =
      timing;
    if (userSpeechEndedAt === undefined || firstAudioAt === undefined) return;
    this.#start('first_audio', userSpeechEndedAt, {
      'gen_ai.response.id': responseId,
      'nova_sonic.interrupted': interrupted,
      'nova_sonic.tool_wait_ms': toolWaitMs,
      'nova_sonic.audio_ms': audioMs,
    }).end(firstAudioAt);
  }
}

const ofStream = ({ streamId, region, lane, reason }: StreamLifecycle): Attributes => ({
  'nova_sonic.stream_id': streamId,
  'nova_sonic.region': region,
  ...(lane && { 'nova_sonic.lane': lane }),
  ...(reason && { 'nova_sonic.reason': reason }),
});
