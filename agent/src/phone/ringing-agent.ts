// SPDX-License-Identifier: Apache-2.0

import { voice } from '@livekit/agents';

type AudioNode = voice.Agent['realtimeAudioOutputNode'];

/** An agent whose first words may be ready before anybody can hear them: nothing of them is played while the phone rings. */
export class RingingAgent extends voice.Agent {
  #heldBack: Promise<void> | undefined;

  /** Holds back the audio of all that is said until this has settled, or the speech is interrupted, as when the call ends. */
  holdBack(speech: Pick<voice.SpeechHandle, 'waitIfNotInterrupted'>, until: Promise<unknown>) {
    this.#heldBack = speech.waitIfNotInterrupted([until]).catch(() => {});
  }

  override async realtimeAudioOutputNode(...args: Parameters<AudioNode>): ReturnType<AudioNode> {
    await this.#heldBack;
    return super.realtimeAudioOutputNode(...args);
  }
}
