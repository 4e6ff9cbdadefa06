// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import { asError } from '../protocol/errors.js';
import type { ToolSpec } from '../protocol/session-config.js';
import { acceptableSchema } from './json-schema.js';
import type { ToolNames } from './tool-names.js';

/**
 * Function tools as the service wants them, sorted by name so that equal tools give equal bytes.
 *
 * @param onSkipped called for a tool that cannot be declared, with a sentence that says what to do
 */
export function toolSpecs(
  tools: llm.ToolContext,
  names: ToolNames,
  onSkipped: (why: Error) => void,
): ToolSpec[] {
  const byName = Object.values(tools.functionTools).sort((a, b) => (a.name < b.name ? -1 : 1));
  names.declare(byName.map((tool) => tool.name));
  return byName.flatMap((tool) => {
    const { name, description } = tool;
    try {
      const schema = acceptableSchema(llm.toJsonSchema(tool.parameters, false));
      return [
        {
          name: names.toWire(name),
          description: description || name,
          inputSchema: JSON.stringify(schema),
        },
      ];
    } catch (cause) {
      const why = `The tool ${name} is left out, since its parameters have no JSON schema that Nova Sonic takes (${asError(cause).message}): use types that JSON has.`;
      onSkipped(new Error(why, { cause }));
      return [];
    }
  });
}

/**
 * LiveKit's tool choice in the service's terms; `none` has no equivalent: the tools are left out instead. A tool that is
 * not declared cannot be chosen: the service would refuse the stream.
 */
export function toolChoiceConfig(
  choice: llm.ToolChoice | null | undefined,
  names: ToolNames,
  declared: readonly ToolSpec[],
): Record<string, unknown> | undefined {
  if (choice === 'auto') return { auto: {} };
  if (choice === 'required') return { any: {} };
  if (typeof choice !== 'object' || choice === null) return undefined;
  const name = names.toWire(choice.function.name);
  return declared.some((tool) => tool.name === name) ? { tool: { name } } : undefined;
}
