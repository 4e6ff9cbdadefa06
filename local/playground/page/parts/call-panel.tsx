// SPDX-License-Identifier: Apache-2.0

import { type RefObject, useEffect, useRef } from 'react';
import { callController } from '../call-controller.js';
import { type CallPhase, levels, type PageState } from '../page-state.js';
import { DeviceChoice } from './device-choice.js';
import { Icon } from './icon.js';

/** The call: its phase, the levels of both sides, and the buttons. */
export function CallPanel({ state }: { state: PageState }) {
  const { phase, inCall, muted, pushToTalk, talking, microphone, playbackBlocked } = state;
  const texts = phaseTexts(state);
  const phaseText = useRef<HTMLDivElement>(null);
  usePushToTalkKey(inCall && pushToTalk && microphone);
  useKeptFocus(phaseText, state);
  return (
    <section className="call-panel" aria-label="Call" data-phase={phase}>
      <Orb phase={phase} />
      <div className="state" ref={phaseText} tabIndex={-1}>
        <p className="now" data-testid="state">
          {texts.phase}
        </p>
        <p className="hint">{texts.hint}</p>
        <p className="sr-only" role="status">
          {texts.announcement}
        </p>
      </div>
      <div className="meters">
        <Meter who="you" label="You" quiet={muted || (pushToTalk && !talking)} />
        <Meter who="agent" label="Agent" quiet={false} />
      </div>
      <div className="buttons">
        {pushToTalk && (
          <button
            type="button"
            className="hold"
            disabled={!inCall || !microphone}
            aria-pressed={talking}
            onPointerDown={() => callController.setTalking(true)}
            onPointerUp={() => callController.setTalking(false)}
            onPointerLeave={() => callController.setTalking(false)}
            onPointerCancel={() => callController.setTalking(false)}
            onContextMenu={(event) => event.preventDefault()}
            onKeyDown={(event) => {
              if (event.key === ' ' || event.key === 'Enter') {
                event.preventDefault();
                callController.setTalking(true);
              }
            }}
            onKeyUp={() => callController.setTalking(false)}
            onBlur={() => callController.setTalking(false)}
          >
            {talking ? 'Talking' : 'Hold to talk'}
          </button>
        )}
        <button
          type="button"
          className="round"
          disabled={!inCall || !microphone || pushToTalk}
          aria-pressed={muted}
          onClick={() => void callController.mute(!muted)}
        >
          <Icon name={muted ? 'muted' : 'microphone'} />
          <span>{muted ? 'Unmute' : 'Mute'}</span>
        </button>
        <DeviceChoice
          pushToTalk={pushToTalk}
          onPushToTalk={(on) => callController.setPushToTalk(on)}
        />
        <button
          type="button"
          className={`call ${inCall ? 'hang-up' : ''}`}
          onClick={() => void (inCall ? callController.hangUp() : callController.call())}
        >
          <Icon name={inCall ? 'hang-up' : 'call'} />
          <span>{inCall ? 'Hang up' : phase === 'ended' ? 'Call again' : 'Call'}</span>
        </button>
      </div>
      {playbackBlocked && (
        <button
          type="button"
          className="unblock"
          onClick={() => void callController.startPlayback()}
        >
          The browser blocks audio: click to hear the agent
        </button>
      )}
    </section>
  );
}

/** @returns the phase and a hint, both visible, and what a screen reader announces */
function phaseTexts(state: PageState): { phase: string; hint: string; announcement: string } {
  const { phase, muted, microphone, pushToTalk, problems } = state;
  const howToTalk = !microphone
    ? 'Type a message below'
    : muted
      ? 'You are muted'
      : pushToTalk
        ? 'Hold the button or the space bar'
        : 'Speak at any time';
  switch (phase) {
    case 'idle':
      return {
        phase: 'Ready to call',
        hint: 'The browser will ask for your microphone',
        announcement: '',
      };
    case 'connecting':
      return {
        phase: 'Connecting',
        hint: problems.some(({ id }) => id === 'agent')
          ? 'Waiting for an agent'
          : 'Waiting for the agent',
        announcement: 'Connecting',
      };
    case 'waiting':
      return {
        phase: 'Waiting for a free line',
        hint: 'An agent comes when it is your turn',
        announcement: 'Waiting for a free line',
      };
    case 'listening':
      return { phase: 'Listening', hint: howToTalk, announcement: 'In the call' };
    case 'thinking':
      return { phase: 'Thinking', hint: 'A reply is on its way', announcement: 'In the call' };
    case 'speaking':
      return {
        phase: 'Speaking',
        hint: microphone && !muted && !pushToTalk ? 'You can interrupt' : howToTalk,
        announcement: 'In the call',
      };
    case 'reconnecting':
      return { phase: 'Reconnecting', hint: 'Connection lost', announcement: 'Reconnecting' };
    case 'ended':
      return {
        phase: 'Call ended',
        hint: 'The conversation is below',
        announcement: 'The call has ended',
      };
  }
}

/**
 * When the focused button disappears, moves the focus to `place`, so that keyboard users do not start again at the top of
 * the page. The place is no button: a space bar that is still held would press it.
 */
function useKeptFocus(place: RefObject<HTMLElement | null>, state: PageState): void {
  const last = useRef<Element>(null);
  useEffect(() => {
    const focused = ({ target }: FocusEvent) => {
      last.current = target instanceof Element ? target : null;
    };
    window.addEventListener('focusin', focused);
    return () => window.removeEventListener('focusin', focused);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: any change of the state may remove a button
  useEffect(() => {
    const was = last.current;
    const { activeElement, body } = document;
    if (!was || (activeElement !== body && activeElement !== was)) return;
    if (!was.isConnected || was.matches(':disabled')) place.current?.focus();
  }, [state, place]);
}

/** The space bar talks, unless the focused element uses it. */
function usePushToTalkKey(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const usesSpaceBar = (target: EventTarget | null) =>
      target instanceof Element && target.closest('input, textarea, select, button, summary, a');
    const down = (event: KeyboardEvent) => {
      if (event.key !== ' ' || usesSpaceBar(event.target)) return;
      event.preventDefault();
      callController.setTalking(true);
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === ' ' && !usesSpaceBar(event.target)) callController.setTalking(false);
    };
    const blur = () => callController.setTalking(false);
    window.addEventListener('keydown', down);
    window.addEventListener('keyup', up);
    window.addEventListener('blur', blur);
    return () => {
      window.removeEventListener('keydown', down);
      window.removeEventListener('keyup', up);
      window.removeEventListener('blur', blur);
    };
  }, [active]);
}

/** Maps a peak to a meter: -60 dBFS is 0, full scale is 1. */
function meterLevel(peak: number): number {
  return peak <= 0.001 ? 0 : Math.min(1, 1 + (20 * Math.log10(peak)) / 60);
}

function Orb({ phase }: { phase: CallPhase }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      levels.subscribe(() => {
        const { you, agent } = levels.get();
        ref.current?.style.setProperty('--you-level', meterLevel(you).toFixed(2));
        ref.current?.style.setProperty('--agent-level', meterLevel(agent).toFixed(2));
      }),
    [],
  );
  return (
    <div ref={ref} className={`orb ${phase}`} aria-hidden="true">
      <i />
      <i />
      <i />
      <i />
      <i />
    </div>
  );
}

/** Bypasses React, because it changes twenty times a second. */
function Meter(props: { who: 'you' | 'agent'; label: string; quiet: boolean }) {
  const { who, label, quiet } = props;
  const ref = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      levels.subscribe(() => {
        const level = meterLevel(levels.get()[who]);
        const percent = Math.round(level * 100);
        ref.current?.style.setProperty('--level', String(level));
        ref.current?.setAttribute('aria-valuenow', String(percent));
      }),
    [who],
  );
  return (
    <div className={`meter ${who} ${quiet ? 'quiet' : ''}`}>
      <span aria-hidden="true">{label}</span>
      {/* biome-ignore lint/a11y/useSemanticElements: <meter> looks different in each browser */}
      <div
        ref={ref}
        className="bar"
        role="meter"
        aria-label={`Volume: ${label}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={0}
        data-testid={`level-${who}`}
      />
    </div>
  );
}
