// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import { asError } from '../protocol/errors.js';
import type { ToolSpec } from '../protocol/session-config.js';

/**
 * Function tools as the service wants them, sorted by name so that equal tools give equal bytes.
 *
 * @param onSkipped called for a tool whose parameters have no JSON schema, with a sentence that says what to do
 */
export function toolSpecs(tools: llm.ToolContext, onSkipped: (why: Error) => void): ToolSpec[] {
  const byName = Object.values(tools.functionTools).sort((a, b) => (a.name < b.name ? -1 : 1));
  return byName.flatMap((tool) => {
    const { name, description } = tool;
    try {
      const inputSchema = JSON.stringify(schemaOf(tool));
      return [{ name, description: description || name, inputSchema }];
    } catch (cause) {
      const why = `The tool ${name} is left out, since its parameters have no JSON schema (${asError(cause).message}): use types that JSON has.`;
      onSkipped(new Error(why, { cause }));
      return [];
    }
  });
}

function schemaOf(tool: llm.FunctionTool): unknown {
  const { $schema: _, ...schema } = llm.toJsonSchema(tool.parameters, false) as Record<
    string,
    unknown
  >;
  return schema;
}

/** LiveKit's tool choice in the service's terms; `none` has no equivalent: the tools are left out instead. */
export function toolChoiceConfig(
  choice: llm.ToolChoice | null | undefined,
): Record<string, unknown> | undefined {
  if (choice === 'auto') return { auto: {} };
  if (choice === 'required') return { any: {} };
  if (typeof choice === 'object' && choice !== null)
    return { tool: { name: choice.function.name } };
  return undefined;
}
