// SPDX-License-Identifier: Apache-2.0
import type { EventEmitter } from 'node:events';
import { type llm, shortuuid } from '@livekit/agents';
import { CallerVoice } from '../audio/caller-voice.js';
import { AudioChunker } from '../audio/chunker.js';
import { createVoiceActivityDetector } from '../audio/voice-activity.js';
import { SessionContinuation } from '../continuation/session-continuation.js';
import type { ResolvedOptions } from '../options.js';
import { asError } from '../protocol/errors.js';
import { createStreamFactory } from '../stream/stream-factory.js';
import { ToolResultRouter } from '../tools/tool-result-router.js';
import { Conversation } from '../turns/conversation.js';
import { EffectHandler } from './effect-handler.js';
import { ReplyFutures } from './reply-futures.js';
import { type Logger, SessionEmitter } from './session-emitter.js';
import { SessionHost } from './session-host.js';
import { SessionSettings } from './session-settings.js';

/** How much longer than a service may be silent a question counts as open (ms). */
const PATIENCE_MARGIN_MS = 2_000;

/** What a `RealtimeSession` is made of. */
export interface SessionParts {
  readonly emitter: SessionEmitter;
  readonly settings: SessionSettings;
  readonly chunker: AudioChunker;
  readonly conversation: Conversation;
  readonly replies: ReplyFutures;
  readonly tools: ToolResultRouter;
  readonly continuation: SessionContinuation;
}

/** Makes the parts and connects them; nothing happens before `continuation.start()`. */
export function createSessionParts(
  session: EventEmitter,
  model: llm.RealtimeModel,
  logger: Logger,
  options: ResolvedOptions,
): SessionParts {
  const { clock, generateReplyTimeout, outputSampleRate, timeouts } = options;
  const emitter = new SessionEmitter(session, logger, model.label(), options);
  const settings = new SessionSettings(options, (error) => {
    logger.error({ error }, 'tool skipped');
    emitter.emitError(error, true);
  });
  const conversation = new Conversation({
    newId: shortuuid,
    outputSampleRate,
    patienceMs: timeouts.progress + PATIENCE_MARGIN_MS,
  });
  const replies = new ReplyFutures(
    clock,
    generateReplyTimeout,
    (id, drop) => conversation.cancelRequest(id, drop),
    (error) => {
      logger.warn({ timeoutMs: generateReplyTimeout }, error.message);
      emitter.emitError(error, true);
    },
    () => continuation.readyAt,
  );
  const tools = new ToolResultRouter(
    clock,
    conversation,
    {
      started: (call) => emitter.emit('tool_call_started', call),
      ended: (call) => emitter.emit('tool_call_ended', call),
    },
    (callId) => logger.debug({ callId }, 'sending tool result that the framework dropped'),
  );
  const effectHandler = new EffectHandler({
    model,
    clock,
    outputSampleRate,
    emitter,
    replies,
    tools,
    toolsForbidden: () => settings.toolChoice === 'none',
    onError: (error, effect) => logger.error({ error, effect }, 'handling an event failed'),
  });
  const continuation = new SessionContinuation(
    {
      ...options,
      random: Math.random,
      newId: shortuuid,
      progressMs: timeouts.progress,
      voice: createCallerVoice(options, emitter),
      openStream: createStreamFactory(options),
    },
    conversation,
    new SessionHost({ model, logger, sessionSettings: settings, effectHandler, emitter, replies }),
  );
  tools.sink = continuation;
  const chunker = new AudioChunker(options.inputSampleRate, options.inputChunkMs);
  return { emitter, settings, chunker, conversation, replies, tools, continuation };
}

function createCallerVoice(options: ResolvedOptions, emitter: SessionEmitter): CallerVoice {
  const warn = (message: string) => (error: unknown) => emitter.warnOnce(message, asError(error));
  const detector =
    options.voiceActivityDetector?.() ??
    createVoiceActivityDetector(
      warn(
        '@livekit/local-inference cannot be loaded: voice is detected by how sound rises and falls',
      ),
    );
  return new CallerVoice(
    options.inputSampleRate,
    detector,
    warn('voice activity detection failed'),
  );
}
