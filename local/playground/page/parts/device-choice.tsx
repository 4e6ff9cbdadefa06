// SPDX-License-Identifier: Apache-2.0

import { type RefObject, useEffect, useRef } from 'react';
import { chooseMicrophone, chooseSpeaker } from '../call-controller.js';
import { choose, devices, speakersCanBeChosen } from '../devices.js';
import { useStore } from '../store.js';
import { Icon } from './icon.js';

/** Which microphone and speaker, and how one talks: rarely wanted, so behind a button. */
export function DeviceChoice(props: { pushToTalk: boolean; onPushToTalk(on: boolean): void }) {
  const { microphones, speakers, microphone, speaker } = useStore(devices);
  const ref = useRef<HTMLDetailsElement>(null);
  useClosedByEscape(ref);
  return (
    <details
      className="sound"
      ref={ref}
      // Tab leads out of it: then it would only be in the way.
      onBlur={({ currentTarget, relatedTarget }) => {
        if (relatedTarget && !currentTarget.contains(relatedTarget)) currentTarget.open = false;
      }}
    >
      <summary className="round">
        <Icon name="sound" />
        <span>Sound</span>
      </summary>
      <div className="sheet">
        <Choice
          label="Microphone"
          devices={microphones}
          value={microphone}
          onChange={(id) => {
            choose('microphone', id);
            void chooseMicrophone(id);
          }}
        />
        {speakersCanBeChosen && (
          <Choice
            label="Speaker"
            devices={speakers}
            value={speaker}
            onChange={(id) => {
              choose('speaker', id);
              void chooseSpeaker(id);
            }}
          />
        )}
        {microphones.length === 0 && (
          <p className="note">The browser names the others once a microphone was allowed.</p>
        )}
        <label className="tick">
          <input
            type="checkbox"
            checked={props.pushToTalk}
            onChange={(event) => props.onPushToTalk(event.target.checked)}
          />
          Push to talk
        </label>
      </div>
    </details>
  );
}

function Choice(props: {
  label: string;
  devices: MediaDeviceInfo[];
  value: string;
  onChange(id: string): void;
}) {
  return (
    <label>
      {props.label}
      <select value={props.value} onChange={(event) => props.onChange(event.target.value)}>
        <option value="">The system's choice</option>
        {props.devices.map(({ deviceId, label }, i) => (
          <option key={deviceId} value={deviceId}>
            {label || `${props.label} ${i + 1}`}
          </option>
        ))}
      </select>
    </label>
  );
}

function useClosedByEscape(ref: RefObject<HTMLDetailsElement | null>): void {
  useEffect(() => {
    const details = ref.current;
    if (!details) return;
    const key = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || !details.open) return;
      details.open = false;
      details.querySelector('summary')?.focus();
    };
    const click = (event: MouseEvent) => {
      if (details.open && event.target instanceof Node && !details.contains(event.target))
        details.open = false;
    };
    details.addEventListener('keydown', key);
    window.addEventListener('click', click);
    return () => {
      details.removeEventListener('keydown', key);
      window.removeEventListener('click', click);
    };
  }, [ref]);
}
