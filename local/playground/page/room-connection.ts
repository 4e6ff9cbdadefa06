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
  CALL_ENDED_ATTRIBUTE,
  CALL_EVENTS_REPLAY_TOPIC,
  CALL_EVENTS_TOPIC,
  type CallEvent,
  type SequencedCallEvent,
} from '../../../agent/src/call/call-events.js';
import type { Happening } from '../state/call-state.js';
import { InOrder } from '../state/reorder-buffer.js';
import type { Speaker } from '../state/speaker.js';
import { TextOutbox } from '../state/text-outbox.js';
import type { Ticket } from './api.js';

const TRANSCRIPTION_TOPIC = 'lk.transcription';
const CHAT_TOPIC = 'lk.chat';
const AGENT_STATE = 'lk.agent.state';

export interface LineEvents {
  happened(happening: Happening): void;
  /** The agent's state as LiveKit has it, or '' when there is no agent. */
  agent(state: string, identity: string): void;
  /** The agent's sound, to be heard; undefined when it is gone. */
  voice(track: MediaStreamTrack | undefined): void;
  link(state: 'lost' | 'back'): void;
  /** The browser wants a click before it lets the page be heard. */
  blocked(blocked: boolean): void;
  ended(reason: DisconnectReason | undefined): void;
}

/** One call over LiveKit: the room, the agent in it, what it says and tells. */
export class Line {
  readonly #room = new Room({
    adaptiveStream: false,
    dynacast: false,
    // Who leaves the page hangs up: phone.ts does it, once it has kept what was said.
    disconnectOnPageLeave: false,
  });
  readonly #events: LineEvents;
  #agent: RemoteParticipant | undefined;
  #agentBefore: string | undefined;
  readonly #tick = setInterval(() => this.#agent && this.#feed.tick(Date.now()), 1_000);
  #audio: HTMLMediaElement | undefined;
  #texts = 0;
  /** While LiveKit reconnects texts wait: livekit-client 2.23 loses what is sent in the middle of that. */
  readonly #outbox = new TextOutbox(
    () => this.#room.state === ConnectionState.Connected,
    (text) => this.#room.localParticipant.sendText(text, { topic: CHAT_TOPIC }),
  );
  readonly #over = new AbortController();
  #feed = this.#newFeed();

  constructor(events: LineEvents) {
    this.#events = events;
    this.#room
      .on(RoomEvent.ParticipantConnected, (participant) => this.#came(participant))
      .on(RoomEvent.ParticipantDisconnected, (participant) => this.#left(participant))
      .on(RoomEvent.ParticipantAttributesChanged, (_, participant) => {
        if (participant.identity === this.#agent?.identity) this.tellAgent();
      })
      .on(RoomEvent.TrackSubscribed, (track, _, participant) => this.#hear(track, participant))
      .on(RoomEvent.TrackUnsubscribed, (track) => this.#unhear(track))
      .on(RoomEvent.SignalReconnecting, () => events.link('lost'))
      .on(RoomEvent.Reconnecting, () => events.link('lost'))
      .on(RoomEvent.Reconnected, () => {
        events.link('back');
        this.#findAgent();
        // LiveKit sends nothing yet in the moment when it emits this.
        setTimeout(() => {
          this.#feed.catchUp();
          void this.#outbox.flush().catch(() => {});
        });
      })
      .on(RoomEvent.AudioPlaybackStatusChanged, () => events.blocked(!this.#room.canPlaybackAudio))
      .on(RoomEvent.Disconnected, (reason) => {
        this.#close();
        events.ended(reason);
      });
    this.#watchNetwork();
    this.#room.registerTextStreamHandler(CALL_EVENTS_TOPIC, async (reader) => {
      const at = Date.now();
      // Who sent it may be gone before its end.
      const text = await reader.readAll().catch(() => undefined);
      if (text === undefined) return;
      const { seq, ...message } = JSON.parse(text) as SequencedCallEvent;
      this.#feed.take(seq, { at, message });
    });
    this.#room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, async (reader, { identity }) => {
      const who: Speaker = identity === this.#room.localParticipant.identity ? 'you' : 'agent';
      const { attributes, id: streamId } = reader.info;
      const id = attributes?.['lk.segment_id'] ?? streamId;
      const at = Date.now();
      let text = '';
      const tell = (done: boolean) => events.happened({ kind: 'words', at, who, id, text, done });
      try {
        for await (const part of reader) {
          text += part;
          tell(false);
        }
      } catch {
        return tell(true);
      }
      tell(who === 'agent' || attributes?.['lk.transcription_final'] === 'true');
    });
  }

  /** @throws ConnectionError when LiveKit is not there or refuses the token. */
  async connect({ url, token }: Ticket): Promise<void> {
    await this.#room.connect(url, token, { maxRetries: 1, websocketTimeout: 6_000 });
    // A browser that has not seen a click lets nobody be heard; the page asks for one.
    await this.#room.startAudio().catch(() => {});
    this.#findAgent();
  }

  async publish(microphone: LocalAudioTrack): Promise<void> {
    await this.#room.localParticipant.publishTrack(microphone, {
      source: Track.Source.Microphone,
      // The model hears the end of a turn by its silence: that goes out too, as sound.
      dtx: false,
      red: false,
    });
  }

  async sendText(text: string): Promise<void> {
    this.#events.happened({ kind: 'typed', at: Date.now(), id: `typed-${this.#texts++}`, text });
    await this.#outbox.add(text);
  }

  /** @throws DOMException when the browser cannot use that speaker. */
  async speakThrough(speaker: string): Promise<void> {
    await this.#room.switchActiveDevice('audiooutput', speaker || 'default');
  }

  async unblock(): Promise<void> {
    await this.#room.startAudio();
  }

  async hangUp(): Promise<void> {
    // A room that was never entered tells no end.
    this.#close();
    await this.#room.disconnect();
  }

  #close(): void {
    // LiveKit tells no more of its tracks once the room is left.
    this.#audio?.remove();
    this.#over.abort();
    clearInterval(this.#tick);
  }

  /** The browser knows at once that the machine is offline; LiveKit learns it only when its pings are not answered. */
  #watchNetwork(): void {
    const { signal } = this.#over;
    const connected = () => this.#room.state === ConnectionState.Connected;
    window.addEventListener('offline', () => connected() && this.#events.link('lost'), { signal });
    // After a moment offline that LiveKit has not even noticed, the connection is what it was.
    const online = () => setTimeout(() => connected() && this.#events.link('back'), 1_000);
    window.addEventListener('online', online, { signal });
  }

  /** LiveKit loses what the agent tells before this page is quite connected, and while it reconnects. */
  #newFeed(): InOrder<{ at: number; message: CallEvent }> {
    return new InOrder(
      ({ at, message }) => this.#events.happened({ kind: 'feed', at, message }),
      (from) => {
        const agent = this.#agent?.identity;
        if (!agent || this.#room.state !== ConnectionState.Connected) return;
        this.#room.localParticipant
          .sendText(String(from), {
            topic: CALL_EVENTS_REPLAY_TOPIC,
            destinationIdentities: [agent],
          })
          .catch(() => {});
      },
    );
  }

  get agentHere(): boolean {
    return this.#agent !== undefined;
  }

  #findAgent(): void {
    for (const participant of this.#room.remoteParticipants.values()) this.#came(participant);
  }

  #came(participant: RemoteParticipant): void {
    if (participant.kind !== ParticipantKind.AGENT) return;
    // Another agent counts anew.
    if (this.#agentBefore !== undefined && this.#agentBefore !== participant.identity)
      this.#feed = this.#newFeed();
    this.#agentBefore = participant.identity;
    this.#agent = participant;
    this.tellAgent();
  }

  #left(participant: RemoteParticipant): void {
    if (participant.identity !== this.#agent?.identity) return;
    this.#agent = undefined;
    const reason = participant.attributes[CALL_ENDED_ATTRIBUTE];
    if (reason) this.#events.happened({ kind: 'agent_left', at: Date.now(), reason });
    this.#events.agent('', participant.identity);
  }

  /** Tells the agent's state as it is now. */
  tellAgent(): void {
    if (!this.#agent) return;
    this.#events.agent(this.#agent.attributes[AGENT_STATE] ?? 'initializing', this.#agent.identity);
  }

  #hear(track: RemoteTrack, participant: RemoteParticipant): void {
    if (track.kind !== Track.Kind.Audio) return;
    this.#came(participant);
    this.#audio = track.attach();
    this.#audio.hidden = true;
    document.body.append(this.#audio);
    this.#events.voice(track.mediaStreamTrack);
  }

  #unhear(track: RemoteTrack): void {
    for (const element of track.detach()) element.remove();
    this.#events.voice(undefined);
  }
}
