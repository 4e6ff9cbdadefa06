// SPDX-License-Identifier: Apache-2.0

import { llm, log, voice } from '@livekit/agents';
import { z } from 'zod';

/** Longest time for the message, in milliseconds. */
const MESSAGE_MS = 60_000;
/** How long the model may take to begin with it. */
const BEGIN_MS = 15_000;

/** What to do when a machine answers an outbound call, for `assistant.ts`. */
export interface AnsweringMachineOptions {
  /** What to say after the tone. Without it the call is ended. */
  message?: string;
  /**
   * Decides whether a machine answered, instead of the model, which otherwise does so by what it hears. The agent is
   * silent meanwhile. For the framework's detector, which needs a language model and speech-to-text beside Sonic:
   * `async (session) => (await new voice.AMD(session, { llm, stt }).execute()).isMachine`.
   */
  detect?: (session: voice.AgentSession) => Promise<boolean>;
}

/** The tool by which the model says that it hears a machine. @param end ends the call */
export function answeringMachineTool({ message }: AnsweringMachineOptions, end: () => void) {
  return llm.tool({
    name: 'answering_machine_detected',
    description: message
      ? 'Call this when an answering machine or a mailbox has answered, after its greeting and its tone. Never call it when a person speaks.'
      : 'Call this as soon as an answering machine or a mailbox has answered. Never call it when a person speaks.',
    parameters: z.object({}),
    execute: async (_args, { ctx }) => {
      log().info({ message: message !== undefined }, 'answering machine');
      if (!message) {
        end();
        return { ended: true };
      }
      // The machine must not interrupt the message.
      ctx.session.input.setAudioEnabled(false);
      void nextSpeech(ctx.session).finally(end);
      return { next: messageInstructions(message) };
    },
  });
}

/** Leaves the message, or does not, when `detect` found a machine. */
export async function answerMachine(
  session: voice.AgentSession,
  { message }: AnsweringMachineOptions,
): Promise<void> {
  log().info({ message: message !== undefined }, 'answering machine');
  if (!message) return;
  session.input.setAudioEnabled(false);
  session.interrupt();
  const instructions = messageInstructions(message);
  await within(MESSAGE_MS, session.generateReply({ instructions }).waitForPlayout());
}

const messageInstructions = (message: string) =>
  `You are talking to an answering machine. Say exactly the following, and nothing else: ${message}`;

/** Resolves when what the agent says next has been heard. Never rejects. */
async function nextSpeech(session: voice.AgentSession): Promise<void> {
  const { SpeechCreated } = voice.AgentSessionEventTypes;
  let created: (event: voice.SpeechCreatedEvent) => void = () => {};
  const speech = new Promise<voice.SpeechCreatedEvent>((resolve) => {
    created = resolve;
  });
  session.once(SpeechCreated, created);
  const event = await within(BEGIN_MS, speech);
  session.off(SpeechCreated, created);
  if (event) await within(MESSAGE_MS, event.speechHandle.waitForPlayout());
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined).unref();
  });
  const result = await Promise.race([promise, timeout]).catch(() => undefined);
  clearTimeout(timer);
  return result;
}
