// SPDX-License-Identifier: Apache-2.0

import {
  DisconnectReason,
  type RemoteParticipant,
  Room,
  RoomEvent,
  TrackKind,
} from '@livekit/rtc-node';
import { AGENT_STATE_ATTRIBUTE, CALL_EVENTS_TOPIC } from '../call/call-events.js';
import { leaveRoom } from '../call/leave-room.js';
import { readCallEvent } from '../call/read-call-event.js';
import type { PcmAudio } from '../caller/pcm.js';
import { type MonotonicClock, systemMonotonicClock } from '../clock.js';
import { isAgentOf } from '../watcher/second-agent.js';
import { AgentArrival, type ArrivingAgent } from './agent-arrival.js';
import type { AttendantOutcome, AttendantTask } from './attendant-messages.js';
import { LinePlayer, PLAYER_STOP_MS } from './line-player.js';
import { LineProgram } from './line-program.js';

/** From the last sample until any caller has heard it. */
const HEARD_MS = 600;

export interface AttendantOptions {
  /** LIVEKIT_AGENT_NAME. */
  agentName: string;
  words: PcmAudio;
  /** Default: made by LineProgram. For `turn_away` silence. */
  music?: Int16Array;
  onSpeaking?: () => void;
  clock?: MonotonicClock;
}

/**
 * Keeps the callers of one room company: joins, says the words, plays music, and leaves when an agent has taken over or
 * nobody is left. It hears nothing and has no Bedrock stream. Two cannot be in a room: they have the same identity, and
 * LiveKit lets the later one replace the earlier.
 */
export class Attendant {
  readonly #task: AttendantTask;
  readonly #options: AttendantOptions;
  readonly #room = new Room();
  readonly #arrival: AgentArrival;
  readonly #player: LinePlayer;
  /** Whether the agent of that identity speaks first. */
  readonly #greets = new Map<string, boolean>();
  #outcome: AttendantOutcome | undefined;
  #finished: (outcome: AttendantOutcome) => void = () => {};

  constructor(task: AttendantTask, options: AttendantOptions) {
    this.#task = task;
    this.#options = options;
    const { clock = systemMonotonicClock, words, music } = options;
    this.#arrival = new AgentArrival(clock, () => this.#end('answered'));
    this.#player = new LinePlayer(new LineProgram(words, music));
  }

  /** Resolves when it has left the room. Never rejects. */
  async run(): Promise<AttendantOutcome> {
    const finished = new Promise<AttendantOutcome>((resolve) => {
      this.#finished = resolve;
    });
    this.#observe();
    void this.#serve().catch(() => this.#end('failed'));
    const outcome = await finished;
    this.#arrival.stop();
    await leaveRoom(this.#room);
    return outcome;
  }

  leave(): void {
    this.#end('left');
  }

  async #serve(): Promise<void> {
    const { url, token } = this.#task;
    await this.#room.connect(url, token, { autoSubscribe: false, dynacast: false });
    // It was called back meanwhile.
    if (this.#outcome) {
      await leaveRoom(this.#room);
      return;
    }
    this.#look();
    // An agent was faster.
    if (this.#agents().length > 0) this.#end('answered');
    if (!this.#outcome) await this.#publish();
  }

  #observe(): void {
    const look = () => this.#look();
    this.#room
      .on(RoomEvent.ParticipantConnected, look)
      .on(RoomEvent.ParticipantDisconnected, look)
      .on(RoomEvent.ParticipantAttributesChanged, look)
      .on(RoomEvent.TrackPublished, look)
      .on(RoomEvent.TrackUnpublished, look)
      .on(RoomEvent.Disconnected, (reason) => this.#end(outcomeOf(reason)));
    this.#room.registerTextStreamHandler(CALL_EVENTS_TOPIC, async (reader, { identity }) => {
      const text = await reader.readAll().catch(() => '');
      const event = readCallEvent(text);
      if (event?.type !== 'ready') return;
      this.#greets.set(identity, event.greets);
      this.#look();
    });
  }

  #look(): void {
    if (!this.#room.isConnected || this.#outcome) return;
    const { remoteParticipants } = this.#room;
    if (!this.#task.callers.some((identity) => remoteParticipants.has(identity))) {
      this.#end('gave_up');
      return;
    }
    const agent = this.#agents().at(-1);
    this.#arrival.update(agent && this.#describe(agent));
  }

  #agents(): RemoteParticipant[] {
    const { agentName } = this.#options;
    return [...this.#room.remoteParticipants.values()].filter((one) => isAgentOf(agentName, one));
  }

  #describe({ identity, attributes, trackPublications }: RemoteParticipant): ArrivingAgent {
    const tracks = [...trackPublications.values()];
    return {
      identity,
      state: attributes[AGENT_STATE_ATTRIBUTE],
      hasAudio: tracks.some(({ kind }) => kind === TrackKind.KIND_AUDIO),
      greets: this.#greets.get(identity),
    };
  }

  async #publish(): Promise<void> {
    await this.#player.start(this.#room);
    const { words } = this.#options;
    if (this.#task.speak && !this.#outcome) {
      this.#player.speak();
      this.#options.onSpeaking?.();
    } else this.#player.resume();
    if (this.#task.part === 'turn_away') {
      await pass((words.samples.length * 1000) / words.sampleRate + HEARD_MS);
      this.#end('turned_away');
    }
  }

  #end(outcome: AttendantOutcome): void {
    if (this.#outcome) return;
    this.#outcome = outcome;
    this.#arrival.stop();
    // After the last sound, which a connection that is lost never takes.
    const stopped = this.#player.stop(outcome === 'answered' ? 'fade' : 'now');
    void Promise.race([stopped, pass(PLAYER_STOP_MS)]).then(() => this.#finished(outcome));
  }
}

function outcomeOf(reason: DisconnectReason): AttendantOutcome {
  switch (reason) {
    case DisconnectReason.DUPLICATE_IDENTITY:
      return 'replaced';
    // Whoever does that wants no attendant here.
    case DisconnectReason.PARTICIPANT_REMOVED:
      return 'left';
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return 'gave_up';
    default:
      return 'failed';
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
