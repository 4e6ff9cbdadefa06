// SPDX-License-Identifier: Apache-2.0
import { describe, expect, jest, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import { z } from 'zod';
import {
  type RealtimeModelOptions,
  resolveOptions,
} from '../../../../packages/livekit-plugin-nova-sonic/src/options.js';
import { settingsFingerprint } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/session-config.js';
import { SessionSettings } from '../../../../packages/livekit-plugin-nova-sonic/src/session/session-settings.js';
import { SteppedClock } from '../support/clocks.js';

const settings = (options: RealtimeModelOptions = {}, leftOut: (why: Error) => void = () => {}) =>
  new SessionSettings(resolveOptions({ region: 'us-east-1', ...options }), leftOut);
const tools = () =>
  new llm.ToolContext([llm.tool({ name: 'x', description: 'd', execute: async () => 1 })]);

describe('SessionSettings', () => {
  test('temperature and topP are the same with tools, unless they were chosen', () => {
    const mine = settings();
    expect(mine.stream.config).toMatchObject({ temperature: 0.7, topP: 0.9, tools: [] });
    mine.tools = tools();
    expect(mine.stream.config).toMatchObject({ temperature: 0.7, topP: 0.9 });
    const chosen = settings({ temperature: 0.2, topP: 0.3 });
    chosen.tools = tools();
    expect(chosen.stream.config).toMatchObject({ temperature: 0.2, topP: 0.3 });
  });

  test("none leaves the tools out, and null restores the model's choice", () => {
    const mine = settings({ toolChoice: 'required' });
    mine.tools = tools();
    expect(mine.stream.config.toolChoice).toEqual({ any: {} });
    expect(mine.update({ toolChoice: 'none' })).toBe(true);
    expect(mine.stream.config.tools).toEqual([]);
    expect(mine.update({ toolChoice: null })).toBe(true);
    expect(mine.stream.config.tools).toHaveLength(1);
    expect(mine.update({ toolChoice: 'required' })).toBe(false);
    expect(mine.update({ toolChoice: undefined })).toBe(false);
  });

  test('a choice that LiveKit gives for one reply ends with it', () => {
    const mine = settings();
    mine.tools = tools();
    const before = settingsFingerprint(mine.stream);
    for (const choice of ['none', 'required'] as const) {
      mine.update({ toolChoice: choice });
      expect(mine.toolChoiceEnded).toBe(false);
      expect(settingsFingerprint(mine.stream)).not.toBe(before);
      // The framework gives back the agent's own choice, which it may never have had.
      mine.update({ toolChoice: undefined });
      expect(mine.toolChoiceEnded).toBe(true);
      expect(settingsFingerprint(mine.stream)).toBe(before);
    }
    mine.update({ temperature: 0.3 });
    expect(mine.toolChoice).toBeUndefined();
  });

  test.each<[string, Array<llm.ToolChoice | undefined>, boolean]>([
    ['with the choice that the agent had before it', ['auto', 'none', 'auto'], true],
    ['not with another one', ['auto', 'none', 'required'], false],
    ['with none, whatever came before', ['none', 'required', undefined], true],
  ])('a choice for one reply ends %s', (_, choices, ended) => {
    const mine = settings();
    for (const toolChoice of choices) mine.update({ toolChoice });
    expect(mine.toolChoiceEnded).toBe(ended);
  });

  test('a choice is checked; the prompt for speech is for each stream', () => {
    const mine = settings({ speechPrompt: 'Hindi in Latin script.' });
    expect(() => mine.update({ toolChoice: 'some' as llm.ToolChoice })).toThrow(/toolChoice/);
    expect(mine.toolChoice).toBeUndefined();
    expect(mine.stream.config.speechPrompt).toBe('Hindi in Latin script.');
    expect(settings().stream.config).not.toHaveProperty('speechPrompt');
    // Nothing was put off.
    mine.close();
  });

  test('other options are for the streams to come, and are checked as those of the model', () => {
    const mine = settings({ topP: 0.5 });
    expect(mine.update({ temperature: 0.1, maxTokens: 50, turnDetection: 'LOW' })).toBe(true);
    expect(mine.stream.config).toMatchObject({
      temperature: 0.1,
      topP: 0.5,
      maxTokens: 50,
      endpointingSensitivity: 'LOW',
    });
    expect(() => mine.update({ temperature: 1.5 })).toThrow(
      'RealtimeModel option temperature is 1.5; it must be from 0 to 1.',
    );
    expect(mine.stream.config.temperature).toBe(0.1);
  });

  test('a voice is checked as that of the model', () => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      const mine = settings();
      expect(mine.update({ voice: 'amy' })).toBe(true);
      expect(() => mine.update({ voice: 'Carlos' })).toThrow(
        'RealtimeModel option voice is "Carlos"; voices are in lower case: carlos.',
      );
      expect(mine.stream.config.voiceId).toBe('amy');
      expect(warning).not.toHaveBeenCalled();
      expect(mine.update({ voice: 'newcomer' })).toBe(true);
      expect(warning).toHaveBeenCalledTimes(1);
      expect(settings({ force: true }).update({ voice: 'forced' })).toBe(true);
      expect(warning).toHaveBeenCalledTimes(1);
    } finally {
      warning.mockRestore();
    }
  });

  test('a tool whose parameters have no JSON schema is left out and reported once', () => {
    const skipped: string[] = [];
    const mine = settings({}, (why) => skipped.push(why.message));
    const dated = llm.tool({
      name: 'dated',
      description: 'd',
      parameters: z.object({ day: z.date() }),
      execute: async () => 1,
    });
    mine.tools = new llm.ToolContext([...tools().tools, dated]);
    expect(mine.stream.config.tools.map((t) => t.name)).toEqual(['x']);
    expect(mine.stream.config.tools).toHaveLength(1);
    expect(skipped).toEqual([
      'The tool dated is left out, since its parameters have no JSON schema that Nova Sonic takes (Date cannot be represented in JSON Schema): use types that JSON has.',
    ]);
  });

  test('equal settings have one fingerprint, other instructions another', () => {
    const [a, b] = [settings(), settings()];
    a.tools = tools();
    b.tools = tools();
    expect(settingsFingerprint(a.stream)).toBe(settingsFingerprint(b.stream));
    // However the settings were put together.
    const { config, instructions } = b.stream;
    expect(settingsFingerprint({ config, instructions })).toBe(settingsFingerprint(a.stream));
    b.instructions = 'Be brief.';
    expect(settingsFingerprint(a.stream)).not.toBe(settingsFingerprint(b.stream));
  });

  test('several changes in a row are one, and none after the close', () => {
    const clock = new SteppedClock();
    const mine = settings({ clock });
    let changes = 0;
    const changed = () =>
      mine.debounce(() => {
        changes += 1;
      });
    changed();
    clock.advance(40);
    changed();
    clock.advance(40);
    expect(changes).toBe(0);
    clock.advance(10);
    expect(changes).toBe(1);
    changed();
    mine.close();
    expect(clock.pending).toBe(0);
  });
});
