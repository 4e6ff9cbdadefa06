// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import { z } from 'zod';
import type { ScriptedStream } from './scripted-server.js';

/** A tool that runs `execute`. */
export const toolRunning = (execute: () => Promise<unknown>, parameters = z.object({})) =>
  llm.tool({ description: 'Does something', parameters, execute });

/** What the stream got as the result of a tool call, parsed. */
export const toolResultOf = async (stream: ScriptedStream, id: string): Promise<unknown> => {
  const start = await stream.received(
    (e) =>
      (e.body.toolResultInputConfiguration as { toolUseId?: string } | undefined)?.toolUseId === id,
  );
  const result = await stream.received(
    (e) => e.name === 'toolResult' && e.body.contentName === start.body.contentName,
  );
  return JSON.parse(String(result.body.content));
};
