// SPDX-License-Identifier: Apache-2.0

import { type RefObject, useEffect, useRef } from 'react';
import { callController } from '../call-controller.js';
import { canChooseSpeaker, chooseDevice, devices } from '../devices.js';
import { useStore } from '../store.js';
import { Icon } from './icon.js';

/** Microphone, speaker and push-to-talk, behind a button because they are rarely changed. */
export function DeviceChoice(props: { pushToTalk: boolean; onPushToTalk(on: boolean): void }) {
  const { microphones, speakers, microphone, speaker } = useStore(devices);
  const ref = useRef<HTMLDetailsElement>(null);
  useClosedByEscape(ref);
  return (
    <details
      className="sound"
      ref={ref}
      // Close it when Tab leaves it.
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
            chooseDevice('microphone', id);
            void callController.selectMicrophone(id);
          }}
        />
        {canChooseSpeaker && (
          <Choice
            label="Speaker"
            devices={speakers}
            value={speaker}
            onChange={(id) => {
              chooseDevice('speaker', id);
              void callController.selectSpeaker(id);
            }}
          />
        )}
        {microphones.length === 0 && (
          <p className="note">The browser lists the devices after you allow a microphone.</p>
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
        <option value="">System default</option>
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
