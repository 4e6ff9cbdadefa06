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
 * Follows a session: tells the feed what happens and logs what fails.
 * @returns the reason why the session ended, when it has ended.
 */
export function publishSession(
  session: voice.AgentSession,
  feed: CallEventPublisher,
): Promise<string> {
  const logger = log();
  const { AgentSessionEventTypes: Events } = voice;

  session.on(Events.AgentStateChanged, ({ newState, createdAt }) =>
    feed.publish({ type: 'state', who: 'agent', state: newState }, createdAt),
  );
  session.on(Events.UserStateChanged, ({ newState, createdAt }) =>
    feed.publish({ type: 'state', who: 'user', state: newState }, createdAt),
  );
  session.on(Events.ConversationItemAdded, ({ item }) => {
    if (item.type !== 'message' || (item.role !== 'user' && item.role !== 'assistant')) return;
    feed.publish({
      type: 'message',
      role: item.role,
      text: item.textContent ?? '',
      interrupted: item.interrupted,
    });
  });
  // Without a listener here the framework's re-emit would throw inside the plugin.
  session.on(Events.Error, ({ error }) => {
    const failure = failureOf(error);
    logger.error({ error: failure.message, recoverable: failure.recoverable }, 'error in the call');
    feed.publish({ type: 'error', ...failure });
  });

  return new Promise((resolve) => {
    session.on(Events.Close, ({ reason, error }) => {
      const why = error ? `${reason}: ${failureOf(error).message}` : String(reason);
      logger.info({ reason: why }, 'session closed');
      resolve(why);
    });
  });
}

/**
 * Tells the feed what a Sonic session itself knows: the parts of each reply's latency, its tokens, its streams, its
 * tool calls, its barge-ins. The log gets the same figures.
 */
export function publishRealtimeSession(sonic: RealtimeSession, feed: CallEventPublisher): void {
  const logger = log();
  const tokens: Required<TokenCounts> = { audioIn: 0, audioOut: 0, textIn: 0, textOut: 0 };
  sonic.on('turn_timing', (turn: TurnTiming) => {
    logger.info(turn, 'reply');
    feed.publish({ type: 'turn', ...turn });
  });
  sonic.on('barge_in', ({ at, ...bargeIn }: BargeIn) => {
    logger.info({ at, ...bargeIn }, 'barge-in');
    feed.publish({ type: 'barge_in', ...bargeIn }, at);
  });
  sonic.on('tool_call_started', ({ at, ...call }: ToolCallStarted) =>
    feed.publish({ type: 'tool_started', ...call }, at),
  );
  sonic.on('tool_call_ended', ({ at, output, ...call }: ToolCallEnded) =>
    feed.publish({ type: 'tool', ...call, result: output }, at),
  );
  sonic.on('stream_lifecycle', ({ type, ...stream }: StreamLifecycle) =>
    feed.publish({ ...stream, type: 'stream', event: type }, stream.at),
  );
  sonic.on(
    'metrics_collected',
    ({ inputTokenDetails, outputTokenDetails }: metrics.RealtimeModelMetrics) => {
      tokens.audioIn += inputTokenDetails.audioTokens;
      tokens.textIn += inputTokenDetails.textTokens;
      tokens.audioOut += outputTokenDetails.audioTokens;
      tokens.textOut += outputTokenDetails.textTokens;
      feed.publish({ type: 'usage', ...tokens });
    },
  );
}

function failureOf(error: unknown): { message: string; recoverable: boolean } {
  const outer = error as { error?: unknown; recoverable?: boolean };
  const inner = outer?.error ?? error;
  const message = inner instanceof Error ? inner.message : String(inner);
  return { message, recoverable: outer?.recoverable ?? false };
}
