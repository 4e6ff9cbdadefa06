// SPDX-License-Identifier: Apache-2.0

import Table from 'cli-table3';
import type { Outcome } from './call-runner.js';

/** From the end of each question to the first sound of its reply, in ms: the model's share, and ours with LiveKit and WebRTC. */
export function latencyTable({ turns }: Outcome): string {
  const table = new Table({
    head: ['turn', 'question', 'end of speech -> first sound', 'the model', 'ours'],
    colAligns: ['right', 'left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  turns.forEach(({ question, endOfSpeechAt, firstSoundAt, modelMs }, i) => {
    const total = firstSoundAt === undefined ? undefined : firstSoundAt - endOfSpeechAt;
    const ours = total === undefined || modelMs === undefined ? undefined : total - modelMs;
    table.push([i + 1, question, ms(total), ms(modelMs), ms(ours)]);
  });
  return table.toString();
}

function ms(value: number | undefined): string {
  return value === undefined ? '-' : `${Math.round(value)} ms`;
}
