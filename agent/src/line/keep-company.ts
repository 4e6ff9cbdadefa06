// SPDX-License-Identifier: Apache-2.0

import { log, voice } from '@livekit/agents';
import { type Room, RoomEvent } from '@livekit/rtc-node';
import { WAITING_LINE_ATTRIBUTE } from '../call/call-events.js';
import { systemMonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import { holdMusic } from './hold-music.js';
import { LinePlayer } from './line-player.js';
import { LineProgram } from './line-program.js';
import { readLineRecordings } from './line-recordings.js';
import { StreamWait } from './stream-wait.js';

/** Made once for all calls of the process, by sample rate. */
const music = new Map<number, Int16Array>();

function createPlayer(line: WorkerConfig['line']): LinePlayer {
  const { busy } = readLineRecordings(line);
  const { sampleRate } = busy;
  const chords = music.get(sampleRate) ?? holdMusic(sampleRate);
  music.set(sampleRate, chords);
  return new LinePlayer(new LineProgram(busy, chords));
}

/** Keeps the caller of a call company while it has no Bedrock stream, see StreamWait. Plays as the agent, on a track of its own. */
export function keepCompany(
  room: Room,
  session: voice.AgentSession,
  { line, speaksFirst }: { line: WorkerConfig['line']; speaksFirst: boolean },
): StreamWait {
  const failed = (error: unknown) =>
    log().warn({ error }, 'the caller could not be told that there is a wait');
  let player: LinePlayer | undefined;
  const wait = new StreamWait(systemMonotonicClock, {
    speaksFirst,
    play: (words) => {
      log().debug({ words }, 'caller hears that there is a wait');
      try {
        const started = createPlayer(line);
        player = started;
        started
          .start(room)
          .then(() => (words ? started.speak() : started.resume()))
          .catch(failed);
      } catch (error) {
        failed(error);
      }
    },
    stop: () => {
      void player?.remove();
      player = undefined;
    },
  });
  const look = () => {
    const others = [...room.remoteParticipants.values()];
    const attended = others.some((one) => one.attributes[WAITING_LINE_ATTRIBUTE] === 'waiting');
    wait.set('line', attended);
  };
  look();
  room.on(RoomEvent.ParticipantConnected, look).on(RoomEvent.ParticipantDisconnected, look);
  const { AgentSessionEventTypes: Events } = voice;
  session.on(Events.AgentStateChanged, ({ newState }) =>
    wait.set('speaking', newState === 'speaking'),
  );
  session.on(Events.Close, () => wait.close());
  return wait;
}
