// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import { z } from 'zod';
import { acceptableSchema } from '../../../../packages/livekit-plugin-nova-sonic/src/tools/json-schema.js';
import { ToolNames } from '../../../../packages/livekit-plugin-nova-sonic/src/tools/tool-names.js';
import { toolSpecs } from '../../../../packages/livekit-plugin-nova-sonic/src/tools/tool-schema.js';

const declared = (parameters: unknown) => {
  const skipped: string[] = [];
  const tool = llm.tool({
    name: 'x',
    description: 'd',
    parameters: parameters as z.ZodObject,
    execute: async () => 1,
  });
  const [spec] = toolSpecs(new llm.ToolContext([tool]), new ToolNames(), (why) =>
    skipped.push(why.message),
  );
  return { schema: spec && JSON.parse(spec.inputSchema), skipped };
};

describe('schemas', () => {
  test('only type, properties and required are at the top', () => {
    const { schema } = declared({
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      title: 'T',
      properties: { a: { $ref: '#/$defs/A' }, b: { $ref: '#/definitions/B', description: 'two' } },
      required: ['a'],
      additionalProperties: false,
      $defs: { A: { type: 'string' } },
      definitions: { B: { type: 'array', items: { $ref: '#/$defs/A' } } },
    });
    expect(schema).toEqual({
      type: 'object',
      properties: {
        a: { type: 'string' },
        b: { type: 'array', items: { type: 'string' }, description: 'two' },
      },
      required: ['a'],
    });
  });

  test('what has a default is not required', () => {
    const { schema } = declared(
      z.object({
        a: z.string(),
        b: z.number().default(3),
        c: z.object({ d: z.string().default('x') }),
      }),
    );
    expect(schema.required).toEqual(['a', 'c']);
    expect(schema.properties.b).toMatchObject({ type: 'number', default: 3 });
    expect(schema.properties.c.required ?? []).toEqual([]);
  });

  test('a type that contains itself is inlined a few times', () => {
    const tree: z.ZodType = z.lazy(() =>
      z.object({ v: z.string(), kids: z.array(tree).optional() }),
    );
    const { schema } = declared(z.object({ t: tree }));
    const text = JSON.stringify(schema);
    expect(text).not.toMatch(/\$ref|\$defs|definitions|additionalProperties/);
    expect(schema.properties.t.properties.kids.items.properties.v).toEqual({ type: 'string' });
  });

  test('a property may have the name of a keyword', () => {
    const properties = { $schema: { type: 'string' }, additionalProperties: { type: 'boolean' } };
    expect(acceptableSchema({ type: 'object', properties }).properties).toEqual(properties);
  });

  test('a map keeps the type of its values, and a hundred parameters are all declared', () => {
    const { schema } = declared(
      z.object({
        map: z.record(z.string(), z.number()),
        ...Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`p${i}`, z.string()])),
      }),
    );
    expect(Object.keys(schema.properties)).toHaveLength(100);
    expect(schema.properties.map.additionalProperties).toEqual({ type: 'number' });
  });

  test.each([
    ['a choice at the top', { anyOf: [{ type: 'object' }] }, /not an object at the top/],
    [
      'a reference to elsewhere',
      { type: 'object', properties: { a: { $ref: 'https://x.y/z' } } },
      /not in the schema/,
    ],
    [
      'a reference to nothing',
      { type: 'object', properties: { a: { $ref: '#/$defs/B' } } },
      /not in the schema/,
    ],
  ])('%s is refused', (_, schema, why) => {
    expect(() => acceptableSchema(schema)).toThrow(why);
  });
});

describe('names', () => {
  test('names that Bedrock refuses are mapped, and back', () => {
    const names = new ToolNames();
    const all = [
      'calendar.create-event',
      'calendar_create-event',
      'book a table',
      'x'.repeat(90),
      'x'.repeat(91),
      'größe',
      'plain',
    ];
    names.declare(all);
    const wire = all.map((name) => names.toWire(name));
    for (const name of wire) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(new Set(wire).size).toBe(all.length);
    expect(wire.map((name) => names.fromWire(name))).toEqual(all);
    expect(names.toWire('plain')).toBe('plain');
    expect(names.toWire('calendar_create-event')).toBe('calendar_create-event');
    expect(names.toWire('book a table')).toBe('book_a_table');
    expect(names.fromWire('never declared')).toBe('never declared');
  });

  test('a valid name that comes later takes its own name', () => {
    const names = new ToolNames();
    names.declare(['a.b']);
    expect(names.toWire('a.b')).toBe('a_b');
    names.declare(['a.b', 'a_b']);
    expect(names.toWire('a_b')).toBe('a_b');
    expect(names.toWire('a.b')).toMatch(/^a_b_[0-9a-f]{8}$/);
    expect(names.fromWire(names.toWire('a.b'))).toBe('a.b');
  });
});
