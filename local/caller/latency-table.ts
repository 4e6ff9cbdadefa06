// SPDX-License-Identifier: Apache-2.0

import Table from 'cli-table3';
import type { CallOutcome } from './call-runner.js';

/**
 * For each question the time from its end to the first sound of the reply, in ms: in total, in the model, and in
 * everything else (LiveKit, WebRTC, agent).
 */
export function latencyTable({ turns }: CallOutcome): string {
  const table = new Table({
    head: ['turn', 'question', 'end of speech -> first sound', 'model', 'rest'],
    colAligns: ['right', 'left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  turns.forEach(({ question, endOfSpeechAt, firstSoundAt, modelMs }, i) => {
    const total = firstSoundAt === undefined ? undefined : firstSoundAt - endOfSpeechAt;
    const rest = total === undefined || modelMs === undefined ? undefined : total - modelMs;
    table.push([i + 1, question, formatMs(total), formatMs(modelMs), formatMs(rest)]);
  });
  return table.toString();
}

function formatMs(value: number | undefined): string {
  return value === undefined ? '-' : `${Math.round(value)} ms`;
}
