// SPDX-License-Identifier: Apache-2.0

import { log, voice } from '@livekit/agents';
import { IdleCaller } from './idle-caller.js';

/** What the agent says to a caller who says nothing, unless `assistant.ts` says otherwise. */
const STILL_THERE =
  'The caller has said nothing for a while. Ask in one short sentence whether they are still there.';

/** What to do about a caller who says nothing, for `assistant.ts`. */
export interface IdleOptions {
  /** Seconds of silence after which the agent asks whether the caller is still there; 0: never. Default: IDLE_ASK_S. */
  askAfterS?: number;
  /** Seconds of silence after which the call ends; 0: never. Default: IDLE_END_S. */
  endAfterS?: number;
  /** Instructions for what the agent asks. */
  instructions?: string;
}

/** Watches the caller of a session. @param end ends the call */
export function watchIdleCaller(
  session: voice.AgentSession,
  { askAfterS = 0, endAfterS = 0, instructions = STILL_THERE }: IdleOptions,
  end: () => void,
): IdleCaller {
  const idle = new IdleCaller({
    askAfterMs: askAfterS * 1_000,
    endAfterMs: endAfterS * 1_000,
    ask: () => {
      log().info({ after_s: askAfterS }, 'caller is idle, asking');
      return session.generateReply({ instructions }).waitForPlayout();
    },
    end: () => {
      log().info({ after_s: endAfterS }, 'caller is idle, ending call');
      end();
    },
  });
  const { AgentSessionEventTypes: Events } = voice;
  session.on(Events.UserStateChanged, ({ newState }) =>
    idle.set('caller', newState === 'speaking'),
  );
  session.on(Events.AgentStateChanged, ({ newState }) =>
    idle.set('agent', newState === 'speaking' || newState === 'thinking'),
  );
  session.on(Events.ConversationItemAdded, ({ item }) => {
    if (item.type === 'message' && item.role === 'user') idle.heard();
  });
  session.on(Events.Close, () => idle.close());
  return idle;
}
