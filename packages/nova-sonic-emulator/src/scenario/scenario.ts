// SPDX-License-Identifier: Apache-2.0

import {
  placeholderTranscript,
  type Script,
  type ScriptedCall,
  type ScriptStep,
  type ScriptTurn,
  sentences,
} from '../dialogue/script.js';
import { DEFAULT_MESSAGE, type StreamException } from '../protocol/errors.js';

/** A dialogue to play; scenario.schema.json describes the file format. */
export interface Scenario {
  /** What the scenario is for. */
  name?: string;
  /** Locale that replies are spoken in, for example `de-DE`.  @default that of the session's voice */
  language?: string;
  /** What happens, in order; each turn is used once unless it sets `repeat`. */
  turns: ScenarioTurn[];
}

/** A turn of a scenario: what the user says or types, and what follows. */
export interface ScenarioTurn {
  /** What the turn answers.  @default 'speech' */
  on?: 'speech' | 'text';
  /**
   * What the user said: the transcript, since the emulator does not recognise words. A list has one entry for each
   * stretch of speech of a user who pauses and continues. Not for text turns.
   */
  user?: string | string[];
  /** Text turns: only typed text that matches this regular expression (case ignored). */
  match?: string;
  /** Only in a session whose history, one line a text like `USER: Hello.`, matches this regular expression. */
  history?: string;
  /** How often the turn is used: a number, or true for any number of times.  @default 1 */
  repeat?: number | boolean;
  /** Milliseconds before the reply starts, on top of the profile's delay.  @default 0 */
  delay?: number;
  /** Tools called before the reply, all at once; the reply waits for their results. */
  tools?: ScenarioCall[];
  /** Said while the tools run, as asynchronous tools allow: after the calls, before their results. */
  meanwhile?: string | string[];
  /** The reply; it is split into sentences. Placeholders: {{user}}, {{tool.field}}, {{name.field}}. */
  reply?: string | string[];
  /** Interrupts the reply so many milliseconds after its first sound. */
  interrupt?: number;
  /** Ends the stream with an exception after the reply. */
  error?: ErrorStep;
  /** Instead of tools, reply, interrupt and error: any order of them. */
  steps?: ScenarioStep[];
}

/** A tool call. */
export interface ScenarioCall {
  /** Name of the tool, as the client declares it. */
  name: string;
  /** Arguments that the client gets.  @default {} */
  args?: Record<string, unknown>;
}

/** An exception inside the stream. */
export interface ErrorStep {
  /** Its type, like `modelTimeoutException`. */
  exception: StreamException;
  /** What the service says.  @default its own text for the type */
  message?: string;
}

/** One step of a turn. */
export type ScenarioStep =
  | { say: string }
  | { pause: number }
  | { tools: ScenarioCall[] }
  /** Calls tools and goes on without their results. */
  | { asyncTools: ScenarioCall[] }
  /** Waits for the results of all tools that the turn has called. */
  | { results: 'all' }
  | { interrupt: number }
  | { error: ErrorStep };

/** Plays a scenario's turns in order; input that matches no turn goes to `otherwise`. */
export class ScenarioScript implements Script {
  private readonly left: number[];

  constructor(
    private readonly scenario: Scenario,
    private readonly otherwise: Script,
  ) {
    this.left = scenario.turns.map(({ repeat = 1 }) =>
      typeof repeat === 'number' ? repeat : repeat ? Number.POSITIVE_INFINITY : 1,
    );
  }

  take(kind: 'speech' | 'text', text?: string, history = ''): ScriptTurn | undefined {
    const index = this.scenario.turns.findIndex(
      (turn, i) => (this.left[i] as number) > 0 && fits(turn, kind, text, history),
    );
    const turn = this.scenario.turns[index];
    if (!turn) return this.otherwise.take(kind, text, history);
    this.left[index] = (this.left[index] as number) - 1;
    const said = turn.user === undefined ? [] : [turn.user].flat();
    return {
      kind,
      user: text ?? '',
      transcript: (window, speechMs) => said[window] ?? placeholderTranscript(speechMs),
      steps: compile(turn),
      locale: this.scenario.language,
    };
  }
}

function fits(turn: ScenarioTurn, kind: 'speech' | 'text', text = '', history = ''): boolean {
  if ((turn.on ?? 'speech') !== kind) return false;
  const fulfils = (pattern: string | undefined, value: string) =>
    !pattern || new RegExp(pattern, 'i').test(value);
  return fulfils(turn.match, text) && fulfils(turn.history, history);
}

function compile(turn: ScenarioTurn): ScriptStep[] {
  const steps: ScriptStep[] = [];
  if (turn.delay) steps.push({ pauseMs: turn.delay });
  if (turn.steps) return [...steps, ...turn.steps.flatMap(compileStep)];
  if (turn.tools?.length) {
    const meanwhile = [turn.meanwhile ?? []].flat();
    steps.push({ tools: turn.tools.map(call), ...(meanwhile.length && { wait: false }) });
    for (const text of meanwhile) steps.push(...say(text));
    if (meanwhile.length) steps.push({ results: 'all' });
  }
  if (turn.interrupt !== undefined) steps.push({ interruptAfterMs: turn.interrupt });
  for (const text of [turn.reply ?? []].flat()) steps.push(...say(text));
  if (turn.error) steps.push(...compileStep({ error: turn.error }));
  return steps;
}

function compileStep(step: ScenarioStep): ScriptStep[] {
  if ('say' in step) return say(step.say);
  if ('pause' in step) return [{ pauseMs: step.pause }];
  if ('tools' in step) return [{ tools: step.tools.map(call) }];
  if ('asyncTools' in step) return [{ tools: step.asyncTools.map(call), wait: false }];
  if ('results' in step) return [{ results: 'all' }];
  if ('interrupt' in step) return [{ interruptAfterMs: step.interrupt }];
  const { exception, message } = step.error;
  return [{ error: { type: exception, message: message ?? DEFAULT_MESSAGE[exception] } }];
}

const call = ({ name, args = {} }: ScenarioCall): ScriptedCall => ({ name, args });
const say = (text: string): ScriptStep[] => sentences(text).map((sentence) => ({ say: sentence }));
