// SPDX-License-Identifier: Apache-2.0

import { ConnectionError, ConnectionErrorReason, DisconnectReason } from 'livekit-client';
import type { Target } from './target.js';

/** A message for the user: what is wrong, and what to do. */
export interface Problem {
  id: string;
  tone: 'error' | 'warning' | 'info';
  title: string;
  advice: string;
  /** A button that does what the advice says. */
  action?: { label: string; run: () => void };
}

/** Explains why `getUserMedia` failed. */
export function microphoneProblem(error: unknown, retry: () => void): Problem {
  const name = error instanceof DOMException ? error.name : '';
  const base = { id: 'microphone', tone: 'error' as const };
  const action = { label: 'Try the microphone again', run: retry };
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return {
        ...base,
        title: 'Microphone access was denied',
        advice:
          'Allow the microphone for this page (icon next to the address), then try again. You can type in the meantime.',
        action,
      };
    case 'NotFoundError':
    case 'OverconstrainedError':
      return {
        ...base,
        title: 'No microphone was found',
        advice:
          'Connect a microphone or switch it on, then try again. You can type in the meantime.',
        action,
      };
    case 'NotReadableError':
    case 'AbortError':
      return {
        ...base,
        title: 'The microphone cannot be used',
        advice:
          'Another program may be using it: close that program, then try again. You can type in the meantime.',
        action,
      };
    default:
      return {
        ...base,
        title: 'The microphone cannot be opened',
        advice: `${error instanceof Error ? error.message : String(error)} You can type in the meantime.`,
        action,
      };
  }
}

export const silentMicrophone: Problem = {
  id: 'silent',
  tone: 'warning',
  title: 'Your microphone delivers no sound',
  advice:
    'Check whether the device or the system has muted it, or choose another one under “Sound”.',
};

export const systemMuted: Problem = {
  id: 'silent',
  tone: 'warning',
  title: 'The system has muted your microphone',
  advice: 'Unmute it on the device or in the system’s sound settings.',
};

export const noSpeaker: Problem = {
  id: 'speaker',
  tone: 'warning',
  title: 'That speaker cannot be used',
  advice: 'Choose another one under “Sound”. The previous speaker is still in use.',
};

export function noServer(target: Target): Problem {
  const command = target.kind === 'stack' ? 'npm run playground' : 'npm start';
  return {
    id: 'call',
    tone: 'error',
    title: 'The command behind this page has stopped',
    advice: `Run ${command} again in the terminal, and open the link it prints.`,
  };
}

export function noLiveKit(target: Target): Problem {
  return {
    id: 'call',
    tone: 'error',
    title: 'LiveKit is unreachable',
    advice:
      target.kind === 'stack'
        ? `${target.livekit} cannot be reached. Check the network, and LIVEKIT_URL in the stack's secret.`
        : `${target.livekit} cannot be reached. Check that npm start is still running.`,
  };
}

export function keysRejected(target: Target): Problem {
  return {
    id: 'call',
    tone: 'error',
    title: 'LiveKit rejected the call',
    advice: `The API key or secret is not valid for ${target.livekit}${target.kind === 'stack' ? ": correct it in the stack's secret" : ''}.`,
  };
}

export function noAgent(target: Target): Problem {
  const named = target.agentName ? ` named “${target.agentName}”` : '';
  return {
    id: 'agent',
    tone: 'error',
    title: 'No agent has joined the call',
    advice:
      target.kind === 'stack'
        ? `Check that the service has a running task, registered as an agent${named} on ${target.livekit} (its log says so). The call continues when an agent joins.`
        : 'Check that the worker is running; the terminal of npm start shows its warnings. The call continues when an agent joins.',
  };
}

export const turnedAway: Problem = {
  id: 'call',
  tone: 'error',
  title: 'Nobody can answer now',
  advice: 'All lines are taken, and as many callers wait as may. Call again later.',
};

export function agentLeft(reason: string | undefined): Problem {
  const known: Record<string, string> = {
    participant_disconnected: 'It saw you leave the call.',
    job_shutdown: 'Its task is shutting down.',
    user_initiated: 'It ended the call.',
    end_call_tool: 'It ended the call.',
    max_call_length: 'The call had reached its longest length.',
    task_stopping: 'Its task is shutting down.',
  };
  const why = reason ? (known[reason] ?? `Reason: ${reason.replace(/^error: /, '')}`) : '';
  return {
    id: 'call',
    tone: 'error',
    title: 'The agent left the call',
    advice:
      `${why || 'Its process ended without giving a reason: see the log of the worker.'} You can call again.`.trim(),
  };
}

export const connectionLost: Problem = {
  id: 'connection',
  tone: 'warning',
  title: 'Connection lost',
  advice: 'The page is reconnecting. The agent cannot hear you.',
};

export const reconnectFailed: Problem = {
  id: 'call',
  tone: 'error',
  title: 'The connection could not be restored',
  advice: 'The call has ended. Check the network, then call again.',
};

export const newAgent: Problem = {
  id: 'agent',
  tone: 'warning',
  title: 'Another agent has joined the call',
  advice: 'It does not know what was said before the connection was lost.',
};

export const otherTab: Problem = {
  id: 'tab',
  tone: 'info',
  title: 'You are also in a call in another tab',
  advice: 'Both agents hear this microphone, and perhaps each other. Hang up in one of the tabs.',
};

export const pageReloaded: Problem = {
  id: 'call',
  tone: 'info',
  title: 'The call ended when the page was reloaded',
  advice: 'The conversation is still shown. You can call again.',
};

/** Explains why joining the room failed. */
export function connectFailed(error: unknown, target: Target): Problem {
  if (!(error instanceof ConnectionError)) return callFailed(error);
  return error.reason === ConnectionErrorReason.NotAllowed
    ? keysRejected(target)
    : noLiveKit(target);
}

export function callFailed(error: unknown): Problem {
  const advice = error instanceof Error ? error.message : String(error);
  return { id: 'call', tone: 'error', title: 'The call cannot be started', advice };
}

/** Explains why LiveKit closed the room. @param endReason the agent's reason for ending the call, if known */
export function disconnected(
  reason: DisconnectReason | undefined,
  endReason: string | undefined,
): Problem {
  if (endReason) return agentLeft(endReason);
  switch (reason) {
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
    case DisconnectReason.PARTICIPANT_REMOVED:
      return agentLeft(undefined);
    default:
      return reconnectFailed;
  }
}
