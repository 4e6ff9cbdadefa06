// SPDX-License-Identifier: Apache-2.0

import {
  ConnectionState,
  type DisconnectReason,
  type LocalAudioTrack,
  ParticipantKind,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  Track,
} from 'livekit-client';
import {
  CALL_EVENTS_TICK_MS,
  CallEventReceiver,
} from '../../../agent/src/call/call-event-receiver.js';
import {
  AGENT_STATE_ATTRIBUTE,
  CALL_ENDED_ATTRIBUTE,
  CALL_EVENTS_REPLAY_TOPIC,
  CALL_EVENTS_TOPIC,
  WAITING_LINE_ATTRIBUTE,
} from '../../../agent/src/call/call-events.js';
import type { CallSide } from '../state/call-side.js';
import type { CallAction } from '../state/call-state.js';
import { TextOutbox } from '../state/text-outbox.js';
import type { ConnectionDetails } from './api.js';
import { chooseAgent } from './choose-agent.js';

const TRANSCRIPTION_TOPIC = 'lk.transcription';
const CHAT_TOPIC = 'lk.chat';
/** How long after a reconnect the agent's confirmations of earlier texts may still come. */
const RESEND_AFTER_MS = 3_000;
/** How long after the browser is online again a connection that LiveKit has not given up is taken as restored. */
const ONLINE_SETTLE_MS = 1_000;

export interface RoomConnectionEvents {
  onAction(action: CallAction): void;
  /** The agent joined, or its state in LiveKit changed. */
  onAgentState(state: string, identity: string): void;
  onAgentLeft(): void;
  /** All lines are taken: somebody keeps the caller company until an agent comes; false when that has ended. */
  onWaiting(waiting: boolean): void;
  /** The agent's audio; undefined when it has ended. */
  onAgentTrack(track: MediaStreamTrack | undefined): void;
  onConnection(state: 'lost' | 'restored'): void;
  /** Whether the browser requires a click before it plays audio. */
  onPlaybackBlocked(blocked: boolean): void;
  onDisconnected(reason: DisconnectReason | undefined): void;
}

/** One call in a LiveKit room: the connection, the agent, its audio, and what it publishes. */
export class RoomConnection {
  readonly #room = new Room({
    adaptiveStream: false,
    dynacast: false,
    // Leaving the page hangs up, too, but only after call-controller.ts has kept the call.
    disconnectOnPageLeave: false,
  });
  readonly #events: RoomConnectionEvents;
  #agent: RemoteParticipant | undefined;
  #lastAgentIdentity: string | undefined;
  readonly #replayTimer = setInterval(
    () => this.#agent && this.#callEvents.tick(Date.now()),
    CALL_EVENTS_TICK_MS,
  );
  readonly #audio = new Set<HTMLMediaElement>();
  #waiting = false;
  #turnedAway = false;
  #typedTexts = 0;
  /** livekit-client 2.23 loses texts that are sent while it reconnects, or before it notices that it must. */
  readonly #outbox = new TextOutbox(
    () => this.#room.state === ConnectionState.Connected,
    (text) => this.#room.localParticipant.sendText(text, { topic: CHAT_TOPIC }),
  );
  readonly #closed = new AbortController();
  #callEvents = this.#newReceiver();

  constructor(events: RoomConnectionEvents) {
    this.#events = events;
    this.#room
      .on(RoomEvent.ParticipantConnected, (participant) => this.#participantJoined(participant))
      .on(RoomEvent.ParticipantDisconnected, (participant) => this.#participantLeft(participant))
      .on(RoomEvent.ParticipantAttributesChanged, (_, participant) => {
        if (this.#chooseAgent() || participant.identity === this.#agent?.identity)
          this.emitAgentState();
      })
      .on(RoomEvent.TrackSubscribed, (track, _, participant) => this.#play(track, participant))
      .on(RoomEvent.TrackUnsubscribed, (track, _, participant) =>
        this.#stopPlaying(track, participant),
      )
      .on(RoomEvent.SignalReconnecting, () => events.onConnection('lost'))
      .on(RoomEvent.Reconnecting, () => events.onConnection('lost'))
      .on(RoomEvent.Reconnected, () => {
        events.onConnection('restored');
        this.#findAgent();
        // LiveKit cannot send yet while it emits this event.
        setTimeout(() => {
          this.#callEvents.catchUp();
          void this.#outbox.flush().catch(() => {});
        });
        setTimeout(() => void this.#outbox.resend().catch(() => {}), RESEND_AFTER_MS);
      })
      .on(RoomEvent.AudioPlaybackStatusChanged, () =>
        events.onPlaybackBlocked(!this.#room.canPlaybackAudio),
      )
      .on(RoomEvent.Disconnected, (reason) => {
        this.#close();
        events.onDisconnected(reason);
      });
    this.#watchNetwork();
    this.#receiveCallEvents();
    this.#receiveTranscription();
  }

  /** @throws ConnectionError when LiveKit is unreachable or rejects the token. */
  async connect({ url, token }: ConnectionDetails): Promise<void> {
    await this.#room.connect(url, token, { maxRetries: 1, websocketTimeout: 6_000 });
    // Fails in a browser that has not seen a click: the page then asks for one.
    await this.#room.startAudio().catch(() => {});
    this.#findAgent();
  }

  async publish(microphone: LocalAudioTrack): Promise<void> {
    await this.#room.localParticipant.publishTrack(microphone, {
      source: Track.Source.Microphone,
      // The model detects the end of a turn by silence, which must therefore be sent as audio.
      dtx: false,
      red: false,
    });
  }

  async sendText(text: string): Promise<void> {
    const id = `typed-${this.#typedTexts++}`;
    this.#events.onAction({ kind: 'typed', at: Date.now(), id, text });
    await this.#outbox.add(text);
  }

  /** @throws DOMException when the browser cannot use that speaker. */
  async setSpeaker(deviceId: string): Promise<void> {
    await this.#room.switchActiveDevice('audiooutput', deviceId || 'default');
  }

  async startPlayback(): Promise<void> {
    await this.#room.startAudio();
  }

  async hangUp(): Promise<void> {
    // A room that was never joined emits no Disconnected event.
    this.#close();
    await this.#room.disconnect();
  }

  get agentPresent(): boolean {
    return this.#agent !== undefined;
  }

  /** In the waiting line; an agent may be on its way. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** The waiting line was full as well: the caller was told so. */
  get turnedAway(): boolean {
    return this.#turnedAway;
  }

  /** Emits the agent's current state, if it is present. */
  emitAgentState(): void {
    if (!this.#agent) return;
    const state = this.#agent.attributes[AGENT_STATE_ATTRIBUTE] ?? 'initializing';
    this.#events.onAgentState(state, this.#agent.identity);
  }

  #receiveCallEvents(): void {
    this.#room.registerTextStreamHandler(CALL_EVENTS_TOPIC, async (reader) => {
      const at = Date.now();
      // The sender may leave before the end of its stream.
      this.#callEvents.receive(await reader.readAll().catch(() => ''), at);
    });
  }

  #receiveTranscription(): void {
    this.#room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, async (reader, { identity }) => {
      const who: CallSide = identity === this.#room.localParticipant.identity ? 'you' : 'agent';
      const { attributes, id: streamId } = reader.info;
      const id = attributes?.['lk.segment_id'] ?? streamId;
      const at = Date.now();
      let text = '';
      const emit = (done: boolean) =>
        this.#events.onAction({ kind: 'transcription', at, who, id, text, done });
      try {
        for await (const part of reader) {
          text += part;
          emit(false);
        }
      } catch {
        return emit(true);
      }
      emit(who === 'agent' || attributes?.['lk.transcription_final'] === 'true');
    });
  }

  /** LiveKit loses events that are sent before this page is fully connected, and while it reconnects. */
  #newReceiver(): CallEventReceiver {
    return new CallEventReceiver(
      (event, at) => {
        if (event.type === 'message' && event.role === 'user') this.#outbox.confirm(event.text);
        this.#events.onAction({ kind: 'call_event', at, event });
      },
      (seq) => {
        const agent = this.#agent?.identity;
        if (!agent || this.#room.state !== ConnectionState.Connected) return;
        this.#room.localParticipant
          .sendText(String(seq), {
            topic: CALL_EVENTS_REPLAY_TOPIC,
            destinationIdentities: [agent],
          })
          .catch(() => {});
      },
    );
  }

  /** The browser notices at once that the machine is offline; LiveKit notices only when its pings time out. */
  #watchNetwork(): void {
    const { signal } = this.#closed;
    const connected = () => this.#room.state === ConnectionState.Connected;
    const offline = () => connected() && this.#events.onConnection('lost');
    window.addEventListener('offline', offline, { signal });
    // LiveKit may not even have noticed that the machine was offline: then the connection is still there.
    const online = () =>
      setTimeout(() => connected() && this.#events.onConnection('restored'), ONLINE_SETTLE_MS);
    window.addEventListener('online', online, { signal });
  }

  #findAgent(): void {
    for (const participant of this.#room.remoteParticipants.values())
      this.#participantJoined(participant);
  }

  #participantJoined(participant: RemoteParticipant): void {
    if (participant.kind !== ParticipantKind.AGENT) return;
    if (isWaitingLine(participant)) {
      this.#turnedAway = participant.attributes[WAITING_LINE_ATTRIBUTE] === 'turned_away';
      this.#setWaiting(true);
      return;
    }
    if (this.#chooseAgent()) this.emitAgentState();
  }

  /** @returns whether the call is with another agent now */
  #chooseAgent(): boolean {
    const agents = [...this.#room.remoteParticipants.values()].filter(
      (one) => one.kind === ParticipantKind.AGENT && !isWaitingLine(one),
    );
    const before = this.#agent;
    this.#agent = chooseAgent(agents);
    if (!this.#agent || this.#agent.identity === before?.identity) return false;
    const { identity } = this.#agent;
    // Another agent numbers its events from 0 again.
    if (this.#lastAgentIdentity !== undefined && this.#lastAgentIdentity !== identity) {
      this.#callEvents = this.#newReceiver();
    }
    this.#lastAgentIdentity = identity;
    return true;
  }

  #setWaiting(waiting: boolean): void {
    this.#waiting = waiting;
    this.#events.onWaiting(waiting);
  }

  #participantLeft(participant: RemoteParticipant): void {
    if (isWaitingLine(participant)) this.#setWaiting(false);
    if (participant.identity !== this.#agent?.identity) return;
    if (this.#chooseAgent()) {
      this.emitAgentState();
      return;
    }
    const reason = participant.attributes[CALL_ENDED_ATTRIBUTE];
    if (reason) this.#events.onAction({ kind: 'agent_left', at: Date.now(), reason });
    this.#events.onAgentLeft();
  }

  #play(track: RemoteTrack, participant: RemoteParticipant): void {
    if (track.kind !== Track.Kind.Audio) return;
    this.#participantJoined(participant);
    const audio = track.attach();
    audio.hidden = true;
    document.body.append(audio);
    this.#audio.add(audio);
    if (!isWaitingLine(participant)) this.#events.onAgentTrack(track.mediaStreamTrack);
  }

  #stopPlaying(track: RemoteTrack, participant: RemoteParticipant): void {
    for (const element of track.detach()) {
      element.remove();
      this.#audio.delete(element);
    }
    if (!isWaitingLine(participant)) this.#events.onAgentTrack(undefined);
  }

  #close(): void {
    // LiveKit emits no TrackUnsubscribed once the room has been left.
    for (const element of this.#audio) element.remove();
    this.#closed.abort();
    clearInterval(this.#replayTimer);
  }
}

function isWaitingLine({ attributes }: RemoteParticipant): boolean {
  return Boolean(attributes[WAITING_LINE_ATTRIBUTE]);
}
