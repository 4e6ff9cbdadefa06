// SPDX-License-Identifier: Apache-2.0

import { type RefObject, useEffect, useRef } from 'react';
import { call, hangUp, mute, pushToTalk, talk, unblock } from '../call-controller.js';
import { type AgentState, levels, type PhoneState } from '../state.js';
import { DeviceChoice } from './device-choice.js';
import { Icon } from './icon.js';

/** The call itself: its state, how loud both sides are, and the buttons. */
export function Stage({ state }: { state: PhoneState }) {
  const { agent, inCall, muted, pushToTalk: held, talking, microphone, blocked } = state;
  const words = wordsFor(state);
  const now = useRef<HTMLDivElement>(null);
  useSpaceBar(inCall && held && microphone);
  useFocusKept(now, state);
  return (
    <section className="stage" aria-label="Call" data-agent={agent}>
      <Orb agent={agent} />
      <div className="state" ref={now} tabIndex={-1}>
        <p className="now" data-testid="state">
          {words.now}
        </p>
        <p className="hint">{words.hint}</p>
        <p className="sr-only" role="status">
          {words.aloud}
        </p>
      </div>
      <div className="meters">
        <Meter who="you" label="You" quiet={muted || (held && !talking)} />
        <Meter who="agent" label="Agent" quiet={false} />
      </div>
      <div className="buttons">
        {held && (
          <button
            type="button"
            className="hold"
            disabled={!inCall || !microphone}
            aria-pressed={talking}
            onPointerDown={() => talk(true)}
            onPointerUp={() => talk(false)}
            onPointerLeave={() => talk(false)}
            onPointerCancel={() => talk(false)}
            onContextMenu={(event) => event.preventDefault()}
            onKeyDown={(event) => {
              if (event.key === ' ' || event.key === 'Enter') {
                event.preventDefault();
                talk(true);
              }
            }}
            onKeyUp={() => talk(false)}
            onBlur={() => talk(false)}
          >
            {talking ? 'Talking' : 'Hold to talk'}
          </button>
        )}
        <button
          type="button"
          className="round"
          disabled={!inCall || !microphone || held}
          aria-pressed={muted}
          onClick={() => void mute(!muted)}
        >
          <Icon name={muted ? 'muted' : 'microphone'} />
          <span>{muted ? 'Unmute' : 'Mute'}</span>
        </button>
        <DeviceChoice pushToTalk={held} onPushToTalk={pushToTalk} />
        <button
          type="button"
          className={`call ${inCall ? 'hang-up' : ''}`}
          onClick={() => void (inCall ? hangUp() : call())}
        >
          <Icon name={inCall ? 'hang-up' : 'call'} />
          <span>{inCall ? 'Hang up' : agent === 'ended' ? 'Call again' : 'Call'}</span>
        </button>
      </div>
      {blocked && (
        <button type="button" className="unblock" onClick={() => void unblock()}>
          The browser keeps the agent silent: click to hear it
        </button>
      )}
    </section>
  );
}

function wordsFor(state: PhoneState): { now: string; hint: string; aloud: string } {
  const { agent, muted, microphone, pushToTalk: held, problems } = state;
  const how = !microphone
    ? 'Type to it below'
    : muted
      ? 'You are muted'
      : held
        ? 'Hold the button or space bar'
        : 'Speak whenever you like';
  switch (agent) {
    case 'idle':
      return { now: 'Ready to call', hint: 'You will be asked for your microphone', aloud: '' };
    case 'connecting':
      return {
        now: 'Connecting',
        hint: problems.some(({ id }) => id === 'agent')
          ? 'Waiting for an agent'
          : 'The agent is on its way',
        aloud: 'Connecting',
      };
    case 'listening':
      return { now: 'Listening', hint: how, aloud: 'In the call' };
    case 'thinking':
      return { now: 'Thinking', hint: 'The answer is coming', aloud: 'In the call' };
    case 'speaking':
      return {
        now: 'Speaking',
        hint: microphone && !muted && !held ? 'Interrupt it if you like' : how,
        aloud: 'In the call',
      };
    case 'reconnecting':
      return { now: 'Reconnecting', hint: 'The connection is lost', aloud: 'Reconnecting' };
    case 'ended':
      return { now: 'Call ended', hint: 'What was said stays below', aloud: 'The call has ended' };
  }
}

/**
 * Whoever works by keyboard is not thrown back to the top of the page when the button they were on goes away. The focus
 * goes to the state, and not to a button: a space bar that is still held would press it.
 */
function useFocusKept(place: RefObject<HTMLElement | null>, state: PhoneState): void {
  const last = useRef<Element>(null);
  useEffect(() => {
    const focused = ({ target }: FocusEvent) => {
      last.current = target instanceof Element ? target : null;
    };
    window.addEventListener('focusin', focused);
    return () => window.removeEventListener('focusin', focused);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: any change of the state may take a button away
  useEffect(() => {
    const was = last.current;
    const { activeElement, body } = document;
    if (!was || (activeElement !== body && activeElement !== was)) return;
    if (!was.isConnected || was.matches(':disabled')) place.current?.focus();
  }, [state, place]);
}

/** The space bar talks, unless it has another meaning where the focus is. */
function useSpaceBar(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const own = (target: EventTarget | null) =>
      target instanceof Element && target.closest('input, textarea, select, button, summary, a');
    const down = (event: KeyboardEvent) => {
      if (event.key !== ' ' || own(event.target)) return;
      event.preventDefault();
      talk(true);
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === ' ' && !own(event.target)) talk(false);
    };
    const gone = () => talk(false);
    window.addEventListener('keydown', down);
    window.addEventListener('keyup', up);
    window.addEventListener('blur', gone);
    return () => {
      window.removeEventListener('keydown', down);
      window.removeEventListener('keyup', up);
      window.removeEventListener('blur', gone);
    };
  }, [active]);
}

/** Loudness as people hear it: -60 dBFS is nothing, 0 all. */
function loudness(peak: number): number {
  return peak <= 0.001 ? 0 : Math.min(1, 1 + (20 * Math.log10(peak)) / 60);
}

function Orb({ agent }: { agent: AgentState }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      levels.subscribe(() => {
        const { you, agent: its } = levels.get();
        ref.current?.style.setProperty('--you-level', loudness(you).toFixed(2));
        ref.current?.style.setProperty('--agent-level', loudness(its).toFixed(2));
      }),
    [],
  );
  return (
    <div ref={ref} className={`orb ${agent}`} aria-hidden="true">
      <i />
      <i />
      <i />
      <i />
      <i />
    </div>
  );
}

/** Written to the element and not through React: it changes twenty times a second. */
function Meter(props: { who: 'you' | 'agent'; label: string; quiet: boolean }) {
  const { who, label, quiet } = props;
  const ref = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      levels.subscribe(() => {
        const level = loudness(levels.get()[who]);
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
        aria-label={`Loudness: ${label}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={0}
        data-testid={`level-${who}`}
      />
    </div>
  );
}
