// SPDX-License-Identifier: Apache-2.0

import { initializeLogger, llm } from '@livekit/agents';
import { assistant, type Call } from '../../agent/src/assistant.js';

initializeLogger({ pretty: false, level: 'silent' });

const call: Call = {
  room: 'room',
  caller: { identity: 'caller-1', name: '', attributes: {}, metadata: '' },
  metadata: '',
};

/** Runs a tool as the framework does, with the arguments as the model sends them. */
async function use(
  name: string,
  args: Record<string, string | number>,
): Promise<Record<string, unknown>> {
  const tools = llm.toToolContext(assistant(call).tools);
  const found = tools?.flatten().find((tool) => llm.isFunctionTool(tool) && tool.name === name);
  if (!found || !llm.isFunctionTool(found)) throw new Error(`There is no tool ${name}.`);
  return (await found.execute(args, {} as never)) as Record<string, unknown>;
}

describe('assistant', () => {
  it('knows the caller by name', () => {
    const named = { ...call, caller: { ...call.caller, name: 'Ada' } };
    expect(assistant(named).instructions).toContain('Ada');
    expect(assistant(call).instructions).not.toContain('Ada');
  });

  it('tells the time in a city', async () => {
    const { time, timeZone } = await use('get_current_time', { city: 'Tokyo' });
    expect(timeZone).toBe('Asia/Tokyo');
    const tokyo = new Intl.DateTimeFormat('en-US', {
      timeZone: 'Asia/Tokyo',
      hour: 'numeric',
      minute: '2-digit',
    });
    const minuteAgo = new Date(Date.now() - 60_000);
    expect([tokyo.format(new Date()), tokyo.format(minuteAgo)]).toContain(time);
  });

  it('finds cities of two words, and returns an error for an unknown city', async () => {
    expect(await use('get_current_time', { city: 'New York' })).toMatchObject({
      timeZone: 'America/New_York',
    });
    expect(await use('get_current_time', { city: 'Atlantis' })).toEqual({
      error: expect.stringContaining('Atlantis'),
    });
  });

  it.each([
    [5, 'mile', 'km', 8.04672],
    [100, 'celsius', 'fahrenheit', 212],
    [1, 'kg', 'pound', 2.20462],
  ])('converts %d %s to %s', async (amount, from, to, result) => {
    expect((await use('convert_units', { amount, from, to })).result).toBeCloseTo(result, 3);
  });

  it('returns an error for units that do not match', async () => {
    expect(await use('convert_units', { amount: 1, from: 'kg', to: 'second' })).toEqual({
      error: 'I cannot convert kg to second.',
    });
  });
});
