// SPDX-License-Identifier: Apache-2.0

/** Something that the user should know, and what to do about it. */
export interface Problem {
  id: string;
  tone: 'error' | 'warning' | 'info';
  title: string;
  advice: string;
  /** A button that does what is advised. */
  action?: { label: string; run: () => void };
}

/** What the page talks to, as the local server tells it. */
export interface Target {
  kind: 'emulator' | 'bedrock' | 'stack';
  /** For people: "the emulator on this machine". */
  name: string;
  livekit: string;
  agentName: string;
}

/** Why `getUserMedia` failed, in words. */
export function microphoneProblem(error: unknown, retry: () => void): Problem {
  const name = error instanceof DOMException ? error.name : '';
  const base = { id: 'microphone', tone: 'error' as const };
  const action = { label: 'Try the microphone again', run: retry };
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return {
        ...base,
        title: 'The microphone was refused',
        advice:
          'Allow it for this page (the icon beside the address), then try again. Until then you can type.',
        action,
      };
    case 'NotFoundError':
    case 'OverconstrainedError':
      return {
        ...base,
        title: 'There is no microphone',
        advice: 'Plug one in, or switch it on, then try again. Until then you can type.',
        action,
      };
    case 'NotReadableError':
    case 'AbortError':
      return {
        ...base,
        title: 'The microphone cannot be used',
        advice:
          'Another program may hold it: close that one, then try again. Until then you can type.',
        action,
      };
    default:
      return {
        ...base,
        title: 'The microphone does not open',
        advice: `${error instanceof Error ? error.message : String(error)} Until then you can type.`,
        action,
      };
  }
}

export const silentMicrophone: Problem = {
  id: 'silent',
  tone: 'warning',
  title: 'Nothing comes from your microphone',
  advice: 'Is it muted, at the device or in the system? Or choose another one under “Sound”.',
};

export const systemMuted: Problem = {
  id: 'silent',
  tone: 'warning',
  title: 'The system has muted your microphone',
  advice: 'Unmute it at the device or in the sound settings of the system.',
};

export const noSpeaker: Problem = {
  id: 'speaker',
  tone: 'warning',
  title: 'The agent cannot be heard through that speaker',
  advice: 'Choose another one under “Sound”. Until then it is heard where it was.',
};

export function noServer(target: Target): Problem {
  const command = target.kind === 'stack' ? 'npm run talk' : 'npm start';
  return {
    id: 'call',
    tone: 'error',
    title: 'The command behind this page has stopped',
    advice: `Run ${command} again in the terminal, and open the link that it prints.`,
  };
}

export function noLiveKit(target: Target): Problem {
  return {
    id: 'call',
    tone: 'error',
    title: 'LiveKit does not answer',
    advice:
      target.kind === 'stack'
        ? `${target.livekit} could not be reached. Check the network, and LIVEKIT_URL in the stack's secret.`
        : `${target.livekit} could not be reached. Is npm start still running in its terminal?`,
  };
}

export function keysRefused(target: Target): Problem {
  return {
    id: 'call',
    tone: 'error',
    title: 'LiveKit refused the call',
    advice: `The API key and secret do not belong to ${target.livekit}${target.kind === 'stack' ? ": correct them in the stack's secret" : ''}.`,
  };
}

export function noAgent(target: Target): Problem {
  const named = target.agentName ? ` named “${target.agentName}”` : '';
  return {
    id: 'agent',
    tone: 'error',
    title: 'No agent has come to the call',
    advice:
      target.kind === 'stack'
        ? `Does the service have a running task, registered as an agent${named} on ${target.livekit}? Its log says so. The call goes on when one comes.`
        : 'Is the worker running? The terminal of npm start shows its warnings. The call goes on when one comes.',
  };
}

export function agentLeft(reason: string | undefined): Problem {
  const known: Record<string, string> = {
    participant_disconnected: 'It no longer saw you in the call.',
    job_shutdown: 'Its task is shutting down.',
    user_initiated: 'It ended the call.',
  };
  const why = reason ? (known[reason] ?? `It said: ${reason.replace(/^error: /, '')}`) : '';
  return {
    id: 'call',
    tone: 'error',
    title: 'The agent left the call',
    advice:
      `${why || 'Its process ended without a word: the log of the worker says more.'} You can call again.`.trim(),
  };
}

export const connectionLost: Problem = {
  id: 'link',
  tone: 'warning',
  title: 'The connection is lost',
  advice: 'The page is trying to get back. What you say now is not heard.',
};

export const connectionGone: Problem = {
  id: 'call',
  tone: 'error',
  title: 'The connection could not be restored',
  advice: 'The call has ended. Check the network, then call again.',
};

export const newAgent: Problem = {
  id: 'agent',
  tone: 'warning',
  title: 'Another agent has taken the call',
  advice: 'It does not know what was said before the connection was lost.',
};

export const otherTab: Problem = {
  id: 'tab',
  tone: 'info',
  title: 'You are in a call in another tab too',
  advice: 'Both agents hear this microphone, and maybe each other. Hang up in one of the tabs.',
};

export const wasReloaded: Problem = {
  id: 'call',
  tone: 'info',
  title: 'The call ended when the page was reloaded',
  advice: 'What was said is still shown here. You can call again.',
};
