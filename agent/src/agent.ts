// SPDX-License-Identifier: Apache-2.0

import { defineAgent, type JobContext, type JobProcess, llm, log, voice } from '@livekit/agents';
import type { RemoteParticipant } from '@livekit/rtc-node';
import {
  RealtimeModel,
  type RealtimeSession,
  type StreamLifecycle,
} from 'livekit-plugin-nova-sonic';
import { type Assistant, assistant, type Call } from './assistant.js';
import { CallEventPublisher } from './call/call-event-publisher.js';
import { CallerAudioInput, FRAME_MS } from './call/caller-audio-input.js';
import { prepareNoiseCancellation } from './call/noise-cancellation.js';
import { parseMetadata } from './call/parse-metadata.js';
import { publishBedrockEvents } from './call/publish-bedrock-events.js';
import { publishRealtimeSession, publishSession } from './call/publish-session.js';
import { RoomCallers } from './call/room-callers.js';
import { voicePublishOptions } from './call/voice-publish-options.js';
import { watchIdleCaller } from './call/watch-idle-caller.js';
import { processConfig, type WorkerConfig } from './config.js';
import { nameTools } from './host/call-context.js';
import { traceCall } from './host/trace-call.js';
import { CallLifecycle, prewarmProcess } from './job/call-lifecycle.js';
import { lanesOfCall } from './lanes/lanes-of-call.js';
import { keepCompany } from './line/keep-company.js';
import { answeringMachineTool, answerMachine } from './phone/answering-machine.js';
import { listenToKeypad } from './phone/listen-to-keypad.js';
import { PhoneCall } from './phone/phone-call.js';
import { RingingAgent } from './phone/ringing-agent.js';
import { RoomPhoneLine } from './phone/room-phone-line.js';
import { LiveKitRooms } from './watcher/livekit-rooms.js';
import { hasAgent, whenReplaced } from './watcher/second-agent.js';

/** One call: runs in a job process, from the dispatch to the end of the session. */
export default defineAgent({
  prewarm: (jobProcess: JobProcess) => prewarmProcess(jobProcess, processConfig()),
  entry: (ctx: JobContext) => {
    const config = processConfig();
    const callers = new RoomCallers(ctx.room, config.callers);
    return traceCall(ctx.job.id, () =>
      CallLifecycle.run(ctx, config, callers, (lifecycle) =>
        answer(ctx, config, callers, lifecycle),
      ),
    );
  },
});

async function answer(
  ctx: JobContext,
  config: WorkerConfig,
  callers: RoomCallers,
  lifecycle: CallLifecycle,
): Promise<void> {
  const resumed = await lifecycle.resumed;
  await ctx.connect();
  // The watcher, or LiveKit Cloud, may have sent two.
  if (hasAgent(ctx.room, config.livekit.agentName)) return lifecycle.leaveToOther();
  whenReplaced(ctx.room, config.livekit.agentName, () => lifecycle.leaveToOther());
  if (resumed?.caller !== undefined && !lifecycle.callerPresent(resumed.caller))
    return lifecycle.endWithoutCaller();
  const caller = await callers.first(resumed?.caller);
  const line = RoomPhoneLine.of(caller, ctx.room, config.livekit, () =>
    lifecycle.leave('transferred'),
  );
  const phone = line && new PhoneCall(line);
  // From the first moment: it may leave while the call is prepared.
  const ringing = line && phone && !phone.answered ? line.answered() : undefined;
  // A caller's phone rings, too: LiveKit's SIP service answers it when it has the agent's track, which must not wait for that.
  const dialed = phone?.direction === 'outbound' ? ringing : undefined;
  const publisher = new CallEventPublisher(ctx.room, resumed?.crashes);
  lifecycle.answers(caller, publisher);
  void ringing?.then((outcome) => {
    if (outcome === 'answered') return;
    // Of a call that was dialed the reason matters; a caller has hung up.
    if (dialed) return lifecycle.end(outcome);
    return lifecycle.leave(voice.CloseReason.PARTICIPANT_DISCONNECTED);
  });
  const behaviour = await assistant(describe(ctx, caller, phone));
  const model = new ObservedRealtimeModel(config, behaviour, publisher, lifecycle, (stream) =>
    wait.streamChanged(stream),
  );
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
  const firstWords = resumed?.caller ? config.resumeCallInstructions : behaviour.greeting;
  const wait = keepCompany(ctx.room, session, {
    line: config.line,
    speaksFirst: Boolean(firstWords),
  });
  lifecycle.laneWait.onWait = () => wait.lanesFull();
  const tools = toolsOf(behaviour, phone, () => lifecycle.end('answering_machine'));
  const agent = new RingingAgent({
    id: 'default_agent',
    instructions: behaviour.instructions,
    ...(resumed && { chatCtx: resumed.history }),
    ...(tools && { tools: nameTools(tools) }),
  });

  let unanswered = dialed !== undefined;
  wait.set('ringing', ringing !== undefined);
  if (dialed && behaviour.prepareWhileRinging === false && (await dialed) !== 'answered') return;
  const noiseCancellation = await prepareNoiseCancellation(
    behaviour.noiseCancellation ?? config.noiseCancellation,
  );
  const audioInput = new CallerAudioInput(ctx.room, callers.identities, noiseCancellation);
  session.input.audio = audioInput;
  // The ringing tone is no speech.
  if (phone && !phone.answered) session.input.setAudioEnabled(false);

  ctx.addShutdownCallback(async () => {
    await Promise.all([model.close(), audioInput.close()]);
  });
  // With several callers the call goes on when one of them hangs up; a phone that rings has a reason of its own.
  const endsHere = config.callers.heard === 'all' || ringing !== undefined;
  await session.start({
    agent,
    room: ctx.room,
    inputOptions: {
      audioEnabled: false,
      participantIdentity: caller.identity,
      closeOnDisconnect: !endsHere,
    },
    outputOptions: { audioPublishOptions: voicePublishOptions(config.audioMaxBitrateKbps) },
    record: false,
  });
  const greet = () =>
    behaviour.greeting ? session.generateReply({ instructions: behaviour.greeting }) : undefined;
  /** Somebody, or a machine, can hear the agent. @param greeting what was prepared for this moment */
  const begin = async (greeting?: voice.SpeechHandle) => {
    followCaller(session, callers, audioInput, greet);
    if (resumed?.end) return lifecycle.endWithWords(resumed.end);
    // Without a caller nothing had been said.
    if (resumed?.caller) {
      const instructions = config.resumeCallInstructions;
      if (instructions) session.generateReply({ instructions });
      return;
    }
    const { answeringMachine } = behaviour;
    if (phone?.direction === 'outbound' && answeringMachine?.detect) {
      const machine = await answeringMachine.detect(session).catch((error) => {
        log().error({ error }, 'detection of answering machines failed');
        return false;
      });
      if (machine) {
        await answerMachine(session, answeringMachine);
        return lifecycle.end('answering_machine');
      }
    }
    // A greeting that is over already could not be prepared.
    if (!greeting || greeting.done()) greet();
  };
  const idle = watchIdleCaller(session, { ...config.idle, ...behaviour.idle }, () =>
    lifecycle.endWithWords('caller_idle').catch(() => lifecycle.end('caller_idle')),
  );
  idle.set('no stream', wait.waits);
  wait.onChange = (waits) => idle.set('no stream', waits);
  callers.onChange(({ identities, hungUp }) => {
    idle.set('absent', identities.length === 0);
    if (hungUp && endsHere && !unanswered)
      void lifecycle.leave(voice.CloseReason.PARTICIPANT_DISCONNECTED);
  });
  line?.attach(session, (on) => idle.set('hold', on));
  const isCaller = (identity: string) => callers.identities.includes(identity);
  const stopKeypad = listenToKeypad(ctx.room, session, isCaller, behaviour.keypad, () =>
    idle.heard(),
  );
  ctx.addShutdownCallback(async () => stopKeypad());
  publisher.publish({
    type: 'ready',
    model: model.model,
    voice: behaviour.voice ?? config.voice ?? '',
    regions: config.lanes.map(({ name }) => name),
    greets: Boolean(behaviour.greeting),
    wire: config.publishBedrockEvents,
    prices: config.prices,
  });
  if (!resumed && !dialed) {
    const rooms = new LiveKitRooms(config);
    lifecycle.metrics.observeAnswer(session, ctx.room, caller.identity, rooms);
  }
  if (ringing) {
    idle.set('ringing', true);
    const detects = dialed && behaviour.answeringMachine?.detect;
    const greeting = !resumed && !detects ? greet() : undefined;
    if (greeting) agent.holdBack(greeting, ringing);
    void ringing.then((outcome) => {
      if (outcome !== 'answered') return void greeting?.interrupt();
      unanswered = false;
      idle.set('ringing', false);
      wait.set('ringing', false);
      session.input.setAudioEnabled(true);
      return begin(greeting);
    });
  } else void begin();

  // The agent never stays in a room that it cannot serve.
  void ended.then((reason) => lifecycle.sessionClosed(reason));
}

/** Listens to the caller who is back, or to whoever replaced the caller; a new one who heard nobody yet is greeted. */
function followCaller(
  session: voice.AgentSession,
  callers: RoomCallers,
  audioInput: CallerAudioInput,
  greet: () => void,
): void {
  const follow = (identities: readonly string[]) => {
    audioInput.setCallers(identities);
    const [caller] = identities;
    if (caller !== undefined) session._roomIO?.setParticipant(caller);
  };
  let closed = false;
  session.on(voice.AgentSessionEventTypes.Close, () => {
    closed = true;
  });
  callers.onChange(({ identities, change }) => {
    if (closed) return;
    follow(identities);
    const said = session.history.items.some(
      (item) => item.type === 'message' && item.role === 'user',
    );
    if (change === 'replaced' && !said) greet();
  });
  // Somebody else may have become the caller while the session started.
  follow(callers.identities);
}

/** The framework creates a realtime session for each agent of a call: this observes each of them from its start. */
class ObservedRealtimeModel extends RealtimeModel {
  readonly #publisher: CallEventPublisher;
  readonly #lifecycle: CallLifecycle;
  readonly #onStream: (stream: StreamLifecycle) => void;
  readonly #publishBedrockEvents: boolean;

  constructor(
    config: WorkerConfig,
    behaviour: Assistant,
    publisher: CallEventPublisher,
    lifecycle: CallLifecycle,
    onStream: (stream: StreamLifecycle) => void,
  ) {
    const voice = behaviour.voice ?? config.voice;
    super({
      lanes: lanesOfCall(config.lanes, lifecycle.cooldownUntil),
      inputChunkMs: FRAME_MS,
      retry: {
        cooldownUntil: lifecycle.cooldownUntil,
        waitWhenFullMs: config.waitForStreamMs,
        turn: lifecycle.laneWait.turn,
      },
      ...(config.model && { model: config.model }),
      ...(voice && { voice }),
      ...(config.renewAfterMs && { renewAfterMs: config.renewAfterMs }),
    });
    this.#publisher = publisher;
    this.#lifecycle = lifecycle;
    this.#onStream = onStream;
    this.#publishBedrockEvents = config.publishBedrockEvents;
  }

  override session(): RealtimeSession {
    const session = super.session();
    publishRealtimeSession(session, this.#publisher);
    if (this.#publishBedrockEvents) publishBedrockEvents(session, this.#publisher);
    this.#lifecycle.metrics.observeRealtimeSession(session);
    this.#lifecycle.laneWait.observeRealtimeSession(session);
    this.#lifecycle.trace.observeRealtimeSession(session);
    this.#lifecycle.conversation.observeRealtimeSession(session);
    session.on('stream_lifecycle', this.#onStream);
    return session;
  }
}

/** The tools of the assistant, and the one by which the model reports that a machine answered. */
function toolsOf(
  { tools, answeringMachine }: Assistant,
  phone: PhoneCall | undefined,
  end: () => void,
): llm.ToolContextLike | undefined {
  if (phone?.direction !== 'outbound' || !answeringMachine || answeringMachine.detect) return tools;
  return new llm.ToolContext([
    ...llm.toToolContext(tools ?? []).tools,
    answeringMachineTool(answeringMachine, end),
  ]);
}

function describe(ctx: JobContext, caller: RemoteParticipant, phone: PhoneCall | undefined): Call {
  return {
    room: ctx.room.name ?? ctx.job.room?.name ?? '',
    caller: {
      identity: caller.identity,
      name: caller.name ?? '',
      attributes: { ...caller.attributes },
      metadata: caller.metadata ?? '',
    },
    ...(phone && { phone }),
    metadata: parseMetadata(ctx.job.metadata),
  };
}
