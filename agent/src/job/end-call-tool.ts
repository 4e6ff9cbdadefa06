// SPDX-License-Identifier: Apache-2.0

import { llm, log, voice } from '@livekit/agents';
import { z } from 'zod';
import { ENDED_BY_TOOL } from '../call/call-events.js';

/** Milliseconds that the model may take to begin its goodbye. */
const GOODBYE_MS = 5_000;

/**
 * A tool with which the model can end the call: it says goodbye, and when that has been heard the caller is
 * disconnected. A caller who interrupts the goodbye has something left to say: the call goes on. (The framework's own
 * `beta.createEndCallTool` works as well; it ends the call also then, and says goodbye in at most five seconds.)
 */
export const endCall = llm.tool({
  description:
    'Ends the call. Use it when the caller says goodbye or clearly has nothing more to ask, not when they pause, ' +
    'want to hold, or are unclear. Do not say goodbye before you use it.',
  parameters: z.object({}),
  execute: async (_, { ctx }) => {
    endAfterGoodbye(ctx.session);
    return 'Say goodbye in one short sentence.';
  },
});

/** Ends the session after the next thing that the agent says. */
export function endAfterGoodbye(
  session: Pick<voice.AgentSession, 'on' | 'off' | 'shutdown'>,
  goodbyeMs = GOODBYE_MS,
): void {
  const { SpeechCreated, Close } = voice.AgentSessionEventTypes;
  const end = () => session.shutdown({ reason: ENDED_BY_TOOL });
  const settle = () => {
    clearTimeout(timer);
    session.off(SpeechCreated, onSpeech);
    session.off(Close, settle);
  };
  const onSpeech = ({ speechHandle }: voice.SpeechCreatedEvent) => {
    settle();
    void speechHandle.waitForPlayout().then(() => {
      if (speechHandle.interrupted) log().info('the goodbye was interrupted, the call goes on');
      else end();
    });
  };
  const timer = setTimeout(() => {
    settle();
    log().warn('the model did not say goodbye, ending the call');
    end();
  }, goodbyeMs);
  session.on(SpeechCreated, onSpeech);
  session.on(Close, settle);
}
