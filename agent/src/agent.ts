// SPDX-License-Identifier: Apache-2.0

import { defineAgent, type JobContext, log, voice } from '@livekit/agents';
import type { RemoteParticipant } from '@livekit/rtc-node';
import { RealtimeModel, type RealtimeSession } from 'livekit-plugin-nova-sonic';
import { type Assistant, assistant, type Call } from './assistant.js';
import { CallEventPublisher } from './call/call-event-publisher.js';
import { CallerAudioInput, FRAME_MS } from './call/caller-audio-input.js';
import { publishBedrockEvents } from './call/publish-bedrock-events.js';
import { publishRealtimeSession, publishSession } from './call/publish-session.js';
import { readSettings, type Settings } from './config.js';
import { FleetCall, warm } from './job/call-lifecycle.js';

/** One call: runs in a job process of its own, from the dispatch to the last word. */
export default defineAgent({
  prewarm: warm,
  entry: (ctx: JobContext) => {
    const settings = readSettings(process.env);
    return FleetCall.run(ctx, settings, (fleet) => answer(ctx, settings, fleet));
  },
});

async function answer(ctx: JobContext, settings: Settings, fleet: FleetCall): Promise<void> {
  await ctx.connect();
  const caller = await ctx.waitForParticipant();
  const call = describe(ctx, caller);
  const persona = await assistant(call);
  const feed = new CallEventPublisher(ctx.room);
  const model = new WatchedModel(settings, persona, feed, fleet);
  const session = new voice.AgentSession({
    llm: model,
    // Sonic hears the turns itself.
    vad: null,
    turnHandling: { turnDetection: 'realtime_llm' },
    // The default mutes the caller for the agent's first 3 s; a caller may interrupt the greeting.
    aecWarmupDuration: null,
  });
  const ended = publishSession(session, feed);
  fleet.watchSession(session);
  const agent = new voice.Agent({
    instructions: persona.instructions,
    ...(persona.tools && { tools: persona.tools }),
  });

  const ears = new CallerAudioInput(ctx.room, caller.identity);
  session.input.audio = ears;

  ctx.addShutdownCallback(async () => {
    await Promise.all([model.close(), ears.close()]);
  });
  await session.start({
    agent,
    room: ctx.room,
    inputOptions: { audioEnabled: false, participantIdentity: caller.identity },
    record: false,
  });
  feed.publish({
    type: 'ready',
    model: model.model,
    voice: persona.voice ?? settings.voice ?? '',
    regions: settings.regions,
    greets: Boolean(persona.greeting),
    wire: settings.callWire,
    prices: settings.fleet.prices,
  });
  if (persona.greeting) session.generateReply({ instructions: persona.greeting });

  // The agent never stays in a room it cannot serve.
  void ended.then(async (reason) => {
    await feed.end(reason);
    ctx.shutdown(reason);
  });
}

/** The framework makes the session (a new one at each handoff): here each is watched from its start. */
class WatchedModel extends RealtimeModel {
  readonly #feed: CallEventPublisher;
  readonly #fleet: FleetCall;
  readonly #wire: boolean;

  constructor(settings: Settings, persona: Assistant, feed: CallEventPublisher, fleet: FleetCall) {
    const voice = persona.voice ?? settings.voice;
    super({
      region: settings.regions,
      inputChunkMs: FRAME_MS,
      retry: { restsUntil: fleet.restsUntil },
      ...(settings.model && { model: settings.model }),
      ...(voice && { voice }),
      ...(settings.renewAfter && { renewAfter: settings.renewAfter }),
    });
    this.#feed = feed;
    this.#fleet = fleet;
    this.#wire = settings.callWire;
  }

  override session(): RealtimeSession {
    const sonic = super.session();
    publishRealtimeSession(sonic, this.#feed);
    if (this.#wire) publishBedrockEvents(sonic, this.#feed);
    this.#fleet.watchSonic(sonic);
    return sonic;
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
    log().debug('the metadata of the dispatch is not JSON, passed on as text');
    return metadata;
  }
}
