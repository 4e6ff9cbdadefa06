// SPDX-License-Identifier: Apache-2.0

import { defineAgent, type JobContext, log, voice } from '@livekit/agents';
import type { RemoteParticipant } from '@livekit/rtc-node';
import { RealtimeModel, type RealtimeSession } from 'livekit-plugin-nova-sonic';
import { type Assistant, assistant, type Call } from './assistant.js';
import { CallEventPublisher } from './call/call-event-publisher.js';
import { CallerAudioInput, FRAME_MS } from './call/caller-audio-input.js';
import { publishBedrockEvents } from './call/publish-bedrock-events.js';
import { publishRealtimeSession, publishSession } from './call/publish-session.js';
import { readWorkerConfig, type WorkerConfig } from './config.js';
import { nameTools } from './host/call-context.js';
import { CallLifecycle, prewarmProcess } from './job/call-lifecycle.js';

/** One call: runs in a job process, from the dispatch to the end of the session. */
export default defineAgent({
  prewarm: prewarmProcess,
  entry: (ctx: JobContext) => {
    const config = readWorkerConfig(process.env);
    return CallLifecycle.run(ctx, config, (lifecycle) => answer(ctx, config, lifecycle));
  },
});

async function answer(
  ctx: JobContext,
  config: WorkerConfig,
  lifecycle: CallLifecycle,
): Promise<void> {
  const resumed = await lifecycle.resumed;
  await ctx.connect();
  if (resumed && !lifecycle.callerPresent(resumed.caller)) return lifecycle.endWithoutCaller();
  const caller = await ctx.waitForParticipant(resumed?.caller);
  const behaviour = await assistant(describe(ctx, caller));
  const publisher = new CallEventPublisher(ctx.room, resumed?.crashes);
  lifecycle.answers(caller, publisher);
  const model = new ObservedRealtimeModel(config, behaviour, publisher, lifecycle);
  const session = new voice.AgentSession({
    llm: model,
    // Sonic detects the turns itself.
    vad: null,
    turnHandling: { turnDetection: 'realtime_llm' },
    // The default mutes the caller for the agent's first 3 s; a caller may interrupt the greeting.
    aecWarmupDuration: null,
  });
  const ended = publishSession(session, publisher);
  lifecycle.attach(session);
  const agent = new voice.Agent({
    instructions: behaviour.instructions,
    ...(resumed && { chatCtx: resumed.history }),
    ...(behaviour.tools && { tools: nameTools(behaviour.tools) }),
  });

  const audioInput = new CallerAudioInput(ctx.room, caller.identity);
  session.input.audio = audioInput;

  ctx.addShutdownCallback(async () => {
    await Promise.all([model.close(), audioInput.close()]);
  });
  await session.start({
    agent,
    room: ctx.room,
    inputOptions: { audioEnabled: false, participantIdentity: caller.identity },
    record: false,
  });
  publisher.publish({
    type: 'ready',
    model: model.model,
    voice: behaviour.voice ?? config.voice ?? '',
    regions: config.regions,
    greets: Boolean(behaviour.greeting),
    wire: config.publishBedrockEvents,
    prices: config.prices,
  });
  const firstReply = resumed ? config.resumeCallInstructions : behaviour.greeting;
  if (resumed?.end) void lifecycle.endWithWords(resumed.end);
  else if (firstReply) session.generateReply({ instructions: firstReply });

  // The agent never stays in a room that it cannot serve.
  void ended.then((reason) => lifecycle.sessionClosed(reason));
}

/** The framework creates a realtime session for each agent of a call: this observes each of them from its start. */
class ObservedRealtimeModel extends RealtimeModel {
  readonly #publisher: CallEventPublisher;
  readonly #lifecycle: CallLifecycle;
  readonly #publishBedrockEvents: boolean;

  constructor(
    config: WorkerConfig,
    behaviour: Assistant,
    publisher: CallEventPublisher,
    lifecycle: CallLifecycle,
  ) {
    const voice = behaviour.voice ?? config.voice;
    super({
      region: config.regions,
      inputChunkMs: FRAME_MS,
      retry: { cooldownUntil: lifecycle.cooldownUntil },
      ...(config.model && { model: config.model }),
      ...(voice && { voice }),
      ...(config.renewAfterMs && { renewAfterMs: config.renewAfterMs }),
    });
    this.#publisher = publisher;
    this.#lifecycle = lifecycle;
    this.#publishBedrockEvents = config.publishBedrockEvents;
  }

  override session(): RealtimeSession {
    const session = super.session();
    publishRealtimeSession(session, this.#publisher);
    if (this.#publishBedrockEvents) publishBedrockEvents(session, this.#publisher);
    this.#lifecycle.metrics.observeRealtimeSession(session);
    this.#lifecycle.conversation.observeRealtimeSession(session);
    return session;
  }
}

function describe(ctx: JobContext, caller: RemoteParticipant): Call {
  return {
    room: ctx.room.name ?? ctx.job.room?.name ?? '',
    caller: {
      identity: caller.identity,
      name: caller.name ?? '',
      attributes: { ...caller.attributes },
      metadata: caller.metadata ?? '',
    },
    metadata: parsedMetadata(ctx.job.metadata),
  };
}

function parsedMetadata(metadata: string): unknown {
  if (!metadata) return '';
  try {
    return JSON.parse(metadata);
  } catch {
    log().debug('dispatch metadata is not JSON, passed on as text');
    return metadata;
  }
}
