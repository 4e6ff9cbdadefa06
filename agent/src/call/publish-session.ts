// SPDX-License-Identifier: Apache-2.0

import { log, type metrics, voice } from '@livekit/agents';
import type {
  BargeIn,
  RealtimeSession,
  StreamLifecycle,
  ToolCallEnded,
  ToolCallStarted,
  TurnTiming,
} from 'livekit-plugin-nova-sonic';
import type { TokenCounts } from 'livekit-plugin-nova-sonic/models';
import type { CallEventPublisher } from './call-event-publisher.js';

/**
 * Publishes what happens in a session, and logs errors.
 * @returns a promise of the reason why the session closed
 */
export function publishSession(
  session: voice.AgentSession,
  publisher: CallEventPublisher,
): Promise<string> {
  const logger = log();
  const { AgentSessionEventTypes: Events } = voice;

  session.on(Events.AgentStateChanged, ({ newState, createdAt }) =>
    publisher.publish({ type: 'state', who: 'agent', state: newState }, createdAt),
  );
  session.on(Events.UserStateChanged, ({ newState, createdAt }) =>
    publisher.publish({ type: 'state', who: 'user', state: newState }, createdAt),
  );
  session.on(Events.ConversationItemAdded, ({ item }) => {
    if (item.type !== 'message' || (item.role !== 'user' && item.role !== 'assistant')) return;
    publisher.publish({
      type: 'message',
      role: item.role,
      text: item.textContent ?? '',
      interrupted: item.interrupted,
    });
  });
  // Without a listener the framework's re-emit would throw inside the plugin.
  session.on(Events.Error, ({ error }) => {
    const failure = failureOf(error);
    // Of one that the call survives the plugin has a warning.
    const level = failure.recoverable ? 'debug' : 'error';
    logger[level](
      { error: failure.message, recoverable: failure.recoverable },
      'error in the call',
    );
    publisher.publish({ type: 'error', ...failure });
  });

  return new Promise((resolve) => {
    session.on(Events.Close, ({ reason, error }) => {
      const why = error ? `${reason}: ${failureOf(error).message}` : String(reason);
      logger.info({ reason: why }, 'session closed');
      resolve(why);
    });
  });
}

/** Publishes what only a Sonic session knows: latency, tokens, streams, tool calls and barge-ins. Logs replies. */
export function publishRealtimeSession(
  realtimeSession: RealtimeSession,
  publisher: CallEventPublisher,
): void {
  const logger = log();
  const tokens: Required<TokenCounts> = { audioIn: 0, audioOut: 0, textIn: 0, textOut: 0 };
  realtimeSession.on('turn_timing', (turn: TurnTiming) => {
    logger.info(turn, 'reply');
    publisher.publish({ type: 'turn', ...turn });
  });
  realtimeSession.on('barge_in', ({ at, ...bargeIn }: BargeIn) => {
    logger.info({ at, ...bargeIn }, 'barge-in');
    publisher.publish({ type: 'barge_in', ...bargeIn }, at);
  });
  realtimeSession.on('tool_call_started', ({ at, ...call }: ToolCallStarted) =>
    publisher.publish({ type: 'tool_started', ...call }, at),
  );
  realtimeSession.on('tool_call_ended', ({ at, output, ...call }: ToolCallEnded) =>
    publisher.publish({ type: 'tool', ...call, result: output }, at),
  );
  realtimeSession.on('stream_lifecycle', ({ type, ...stream }: StreamLifecycle) =>
    publisher.publish({ ...stream, type: 'stream', event: type }, stream.at),
  );
  realtimeSession.on(
    'metrics_collected',
    ({ inputTokenDetails, outputTokenDetails }: metrics.RealtimeModelMetrics) => {
      tokens.audioIn += inputTokenDetails.audioTokens;
      tokens.textIn += inputTokenDetails.textTokens;
      tokens.audioOut += outputTokenDetails.audioTokens;
      tokens.textOut += outputTokenDetails.textTokens;
      publisher.publish({ type: 'usage', ...tokens });
    },
  );
}

function failureOf(error: unknown): { message: string; recoverable: boolean } {
  const outer = error as { error?: unknown; recoverable?: boolean };
  const inner = outer?.error ?? error;
  const message = inner instanceof Error ? inner.message : String(inner);
  return { message, recoverable: outer?.recoverable ?? false };
}
