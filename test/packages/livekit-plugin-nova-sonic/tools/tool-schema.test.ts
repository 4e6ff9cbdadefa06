// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import { z } from 'zod';
import { acceptableSchema } from '../../../../packages/livekit-plugin-nova-sonic/src/tools/json-schema.js';
import { ToolNames } from '../../../../packages/livekit-plugin-nova-sonic/src/tools/tool-names.js';
import {
  toolChoiceConfig,
  toolSpecs,
} from '../../../../packages/livekit-plugin-nova-sonic/src/tools/tool-schema.js';

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

  test('lists, constants and identifiers of a schema: what is a schema is inlined, what is a value stays', () => {
    const value = { $ref: 'no reference', $id: 'x', additionalProperties: true };
    expect(
      acceptableSchema({
        $id: 'top',
        type: 'object',
        properties: {
          a: { $id: 'a', $schema: 's', anyOf: [{ $ref: '#/$defs/A' }, { type: 'null' }] },
          b: { enum: [value], const: value, default: value, examples: [value] },
          c: 5,
        },
        required: ['a', 7],
        $defs: { A: { type: 'string', $defs: {}, definitions: {} } },
      }),
    ).toEqual({
      type: 'object',
      properties: {
        a: { anyOf: [{ type: 'string' }, { type: 'null' }] },
        b: { enum: [value], const: value, default: value, examples: [value] },
        c: 5,
      },
      required: ['a', 7],
    });
  });

  test('a schema that requires nothing, or has no properties, says nothing of it', () => {
    expect(acceptableSchema({ type: 'object', required: [] })).toEqual({
      type: 'object',
      properties: {},
    });
    expect(acceptableSchema({ type: 'object', properties: [], required: 'a' })).toEqual({
      type: 'object',
      properties: {},
    });
  });

  test('a type contains itself three times, then it is any object; another type beside it counts for itself', () => {
    const node = { type: 'object', properties: { kid: { $ref: '#/$defs/N' } } };
    const { properties } = acceptableSchema({
      type: 'object',
      properties: { n: { $ref: '#/$defs/N' } },
      $defs: { N: node },
    });
    const level = (inner: object) => ({ type: 'object', properties: { kid: inner } });
    expect(properties).toEqual({ n: level(level(level({ type: 'object' }))) });
    // Each step through another one.
    const chain = Object.fromEntries(
      ['A', 'B', 'C', 'D'].map((name, i, all) => [
        name,
        i < 3 ? { items: { $ref: `#/$defs/${all[i + 1]}` } } : { type: 'string' },
      ]),
    );
    const through = acceptableSchema({
      type: 'object',
      properties: { a: { $ref: '#/$defs/A' } },
      $defs: chain,
    });
    expect(through.properties).toEqual({
      a: { items: { items: { items: { type: 'string' } } } },
    });
  });

  test('a reference may be to the whole, into a list, or have escaped signs', () => {
    const { properties } = acceptableSchema({
      type: 'object',
      properties: {
        a: { $ref: '#/$defs/x~1y~0z%20' },
        b: { $ref: '#/oneOf/1' },
        c: { type: 'array', items: { $ref: '#' } },
      },
      oneOf: [{}, { type: 'number' }],
      $defs: { 'x/y~z ': { type: 'string' } },
    });
    expect(properties).toMatchObject({
      a: { type: 'string' },
      b: { type: 'number' },
      c: { items: { type: 'object', properties: { a: { type: 'string' } } } },
    });
  });

  test.each([
    ['nothing', undefined, /the schema is no object/],
    ['a text', 'object', /the schema is no object/],
    ['another type', { type: 'array' }, /the schema is "array", not an object at the top/],
    ['a choice', { anyOf: [] }, /the schema is "anyOf", not/],
    ['an empty schema', {}, /the schema is "nothing", not/],
  ])('%s at the top is refused with what it is', (_, schema, why) => {
    expect(() => acceptableSchema(schema)).toThrow(why);
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

describe('declarations', () => {
  const tool = (name: string, parameters: unknown = z.object({}), description = `does ${name}`) =>
    llm.tool({
      name,
      description,
      parameters: parameters as z.ZodObject,
      execute: async () => 1,
    });

  test('are sorted by name, whatever order the tools were given in', () => {
    const specs = (names: string[]) =>
      toolSpecs(new llm.ToolContext(names.map((name) => tool(name))), new ToolNames(), (why) => {
        throw why;
      });
    const sorted = specs(['c', 'a', 'b', 'd']);
    expect(sorted.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd']);
    expect(specs(['d', 'b', 'a', 'c'])).toEqual(sorted);
    expect(sorted[0]?.description).toBe('does a');
  });

  test('a tool without a description is described by its name, one without a schema is left out and reported', () => {
    const skipped: Error[] = [];
    const specs = toolSpecs(
      new llm.ToolContext([tool('b', z.object({}), ''), tool('a', { type: 'array' })]),
      new ToolNames(),
      (why) => skipped.push(why),
    );
    expect(specs.map(({ name, description }) => [name, description])).toEqual([['b', 'b']]);
    expect(skipped).toHaveLength(1);
    expect(skipped[0]?.message).toMatch(/^The tool a is left out/);
    expect(skipped[0]?.cause).toBeInstanceOf(Error);
  });

  test('a choice of tools is said in the terms of the service, which has none for none', () => {
    const names = new ToolNames();
    const declared = toolSpecs(new llm.ToolContext([tool('a.b')]), names, () => {});
    const choices = ['auto', 'required', 'none', null, undefined] as const;
    expect(choices.map((choice) => toolChoiceConfig(choice, names, declared))).toEqual([
      { auto: {} },
      { any: {} },
      undefined,
      undefined,
      undefined,
    ]);
    const one = (name: string) => ({ type: 'function', function: { name } }) as const;
    expect(toolChoiceConfig(one('a.b'), names, declared)).toEqual({ tool: { name: 'a_b' } });
    // The service would refuse a stream that chooses a tool that it does not have.
    expect(toolChoiceConfig(one('left out'), names, declared)).toBeUndefined();
  });
});

describe('names', () => {
  test('of those that are declared together the valid ones keep theirs, in any order', () => {
    for (const all of [
      ['a.b', 'a_b'],
      ['a_b', 'a.b'],
    ]) {
      const names = new ToolNames();
      names.declare(all);
      // Nothing that was given has to be taken back.
      expect(names.fromWire('a_b')).toBe('a_b');
      expect(names.toWire('a.b')).toMatch(/^a_b_[0-9a-f]{8}$/);
    }
  });

  test('a name of 64 signs is the longest that keeps its own; a longer one is cut, and has a hash', () => {
    const names = new ToolNames();
    const long = `${'x'.repeat(63)}.`;
    expect(names.toWire(long)).toBe(`${'x'.repeat(63)}_`);
    expect(names.toWire('y'.repeat(65))).toMatch(/^y{55}_[0-9a-f]{8}$/);
    expect(names.toWire('')).toBe('_');
  });

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
