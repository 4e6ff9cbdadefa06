// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import { StreamError } from '../protocol/errors.js';
import type { Voice } from '../protocol/models.js';
import type { SeededRandom } from '../random.js';
import type { TextToSpeech } from '../speech/speech-synthesizer.js';
import type { EventSink, OutputEvents } from './output-events.js';
import type { Playback } from './playback.js';
import { type Delay, draw, type Profile } from './profile.js';
import {
  fill,
  fillAll,
  type PlaceholderValues,
  type ScriptedCall,
  type ScriptStep,
  type ScriptTurn,
} from './script.js';
import { SPEECH_TOKENS_PER_SECOND, textTokens } from './usage.js';

/** 20 speech tokens for every 800 ms of output (capture). */
const USAGE_EVERY_MS = 800;
const USAGE_TOKENS = 20;
/** The usageEvent of a text comes some 13 ms before the text (capture). */
const USAGE_LEAD_MS = 13;

/** The tool calls of one turn. */
export class ToolCalls {
  /** toolUseId -> name of the tool, for the calls without a result. */
  readonly open = new Map<string, string>();
  /** Results so far, by name; `tool` is the last one. */
  readonly results = new Map<string, unknown>();
  /** The rest of the reply, which waits for the results. */
  waiting?: Reply;
}

/** A reply, or the rest of one that waited for tools. */
export class Reply {
  /** The first text or tool call was sent. */
  speaking = false;
  /** Tokens of typed text, sent with the reply's first usageEvent. */
  inputTokens = 0;
  /** Milliseconds of audio sent that no usageEvent has counted yet. */
  unreportedAudioMs = 0;
  /** When the scenario interrupts the reply, counted from its first sound. */
  interruptAfterMs?: number;
  /** Closes an open AUDIO block when the reply is interrupted. */
  closeAudio?: () => void;
  private over = false;
  private wake?: () => void;

  constructor(
    readonly turn: ScriptTurn,
    readonly steps: readonly ScriptStep[],
    readonly delay: Delay,
    readonly calls = new ToolCalls(),
  ) {}

  get cancelled(): boolean {
    return this.over;
  }

  get placeholders(): PlaceholderValues {
    return { user: this.turn.user, results: this.calls.results };
  }

  /** A copy that starts from the beginning. */
  restarted(): Reply {
    const reply = new Reply(this.turn, this.steps, this.delay, this.calls);
    reply.inputTokens = this.inputTokens;
    return reply;
  }

  cancel(): void {
    this.over = true;
    this.wake?.();
  }

  /** Resolves to false when the reply was cancelled meanwhile. */
  wait(clock: Clock, ms: number): Promise<boolean> {
    if (this.over) return Promise.resolve(false);
    if (ms <= 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const stop = clock.after(ms, () => {
        this.wake = undefined;
        resolve(!this.over);
      });
      this.wake = () => {
        stop();
        resolve(false);
      };
    });
  }
}

/** What a reply asks of its dialogue. */
export interface ReplyHost {
  /** The reply starts: further speech no longer extends its turn. */
  commit(reply: Reply): void;
  /** Registers a call whose result belongs to `calls`. */
  expect(toolUseId: string, calls: ToolCalls): void;
  /** Acts as though the user interrupted after a time, unless somebody does before. @param ms from now */
  interruptAfter(ms: number): void;
}

/** What promptStart settled. */
export interface PromptSettings {
  voice: Voice;
  /** Of the output, in Hz. */
  sampleRate: number;
  toolNames: ReadonlySet<string>;
}

/** What a reply is played with. */
export interface ReplyContext {
  clock: Clock;
  random: SeededRandom;
  profile: Profile;
  textToSpeech: TextToSpeech;
  sink: EventSink;
  output: OutputEvents;
  playback: Playback;
}

/** Plays replies: texts, audio and tool calls, at the profile's pace. */
export class ReplyPlayer {
  constructor(
    private readonly context: ReplyContext,
    private readonly prompt: PromptSettings,
    private readonly host: ReplyHost,
  ) {}

  /** Carries out a reply's steps; resolves early when it is interrupted. */
  async play(reply: Reply): Promise<void> {
    const { clock, output, random, sink } = this.context;
    this.prefetch(reply);
    let delay = draw(reply.delay, random);
    for (const [i, step] of reply.steps.entries()) {
      if ('pauseMs' in step) {
        delay += step.pauseMs;
      } else if ('interruptAfterMs' in step) {
        reply.interruptAfterMs = step.interruptAfterMs;
      } else if ('error' in step) {
        if (!(await reply.wait(clock, delay))) return;
        const { type, message } = step.error;
        sink.fail(new StreamError(type, message, 'an error step of the scenario'));
        return;
      } else if ('tools' in step) {
        if (!(await reply.wait(clock, delay))) return;
        output.startCompletion();
        this.host.commit(reply);
        const undeclared = step.tools.find(({ name }) => !this.prompt.toolNames.has(name));
        if (undeclared) {
          await this.sayUndeclared(reply, undeclared.name);
          return;
        }
        this.callTools(reply, step.tools);
        delay = 0;
        if (step.wait === false) continue;
        this.waitForResults(reply, i + 1);
        return;
      } else if ('results' in step) {
        if (reply.calls.open.size === 0) continue;
        this.waitForResults(reply, i + 1);
        return;
      } else {
        const text = fill(step.say, reply.placeholders, this.unknownPlaceholder);
        const next = reply.steps.slice(i + 1).find((later) => !('pauseMs' in later));
        const last = !next || 'results' in next || !reply.steps.slice(i + 1).some(isSpoken);
        if (!(await this.say(reply, text, delay, last))) {
          this.keepAnswer(reply, i + 1);
          return;
        }
        delay = 0;
      }
    }
    await reply.wait(clock, delay);
  }

  /** Sentences without placeholders are synthesised before they are due. */
  private prefetch(reply: Reply): void {
    for (const step of reply.steps) {
      if ('say' in step && !step.say.includes('{{')) {
        void this.synthesize(reply, step.say).catch(() => {});
      }
    }
  }

  private synthesize(reply: Reply, text: string): Promise<Int16Array> {
    const { voice, sampleRate } = this.prompt;
    const { locale } = reply.turn;
    return this.context.textToSpeech.say(text, locale ? { ...voice, locale } : voice, sampleRate);
  }

  /** Warns of a placeholder without a value and returns the text that stands in for it. */
  private readonly unknownPlaceholder = (path: string): string => {
    this.context.sink.note('warning', { text: `scenario: {{${path}}} has no value` });
    return `(no ${path})`;
  };

  private async sayUndeclared(reply: Reply, name: string): Promise<void> {
    this.context.sink.note('warning', {
      text: `the scenario calls the tool ${name}, which promptStart does not declare`,
    });
    await this.say(reply, `I would call the tool ${name}, but it is not declared.`, 0, true);
  }

  /** One sentence: SPECULATIVE text, then its audio. Resolves to false when interrupted. */
  private async say(reply: Reply, text: string, delay: number, last: boolean): Promise<boolean> {
    const { clock, output, profile, random, sink } = this.context;
    const speech = this.synthesize(reply, text);
    speech.catch(() => {});
    if (!(await reply.wait(clock, delay - USAGE_LEAD_MS))) return false;
    const input = { textTokens: reply.inputTokens };
    reply.inputTokens = 0;
    output.sendUsage({ input, output: { textTokens: textTokens(text) } });
    if (!(await reply.wait(clock, Math.min(delay, USAGE_LEAD_MS)))) return false;
    output.startCompletion();
    this.host.commit(reply);
    output.sendText('ASSISTANT', 'SPECULATIVE', text, 'PARTIAL_TURN');
    const due = clock.now() + draw(profile.textToAudio, random);
    let samples: Int16Array;
    try {
      samples = await speech;
    } catch (error) {
      if (reply.cancelled) return false;
      sink.note('warning', { text: `no speech for ${JSON.stringify(text)}: ${error}` });
      samples = new Int16Array(this.prompt.sampleRate);
    }
    if (reply.cancelled || !(await reply.wait(clock, due - clock.now()))) return false;
    return this.sendAudio(reply, text, samples, last);
  }

  private async sendAudio(
    reply: Reply,
    text: string,
    samples: Int16Array,
    last: boolean,
  ): Promise<boolean> {
    const { clock, output, playback, profile, random } = this.context;
    const { sampleRate } = this.prompt;
    const contentId = random.uuid();
    const end = (stopReason: string) => {
      reply.closeAudio = undefined;
      output.emit('contentEnd', { contentId, stopReason, type: 'AUDIO' });
    };
    output.emit('contentStart', {
      audioOutputConfiguration: {
        channelCount: 1,
        encoding: 'base64',
        mediaType: 'audio/lpcm',
        sampleRateHertz: sampleRate,
        sampleSizeBits: 16,
      },
      contentId,
      role: 'ASSISTANT',
      type: 'AUDIO',
    });
    reply.closeAudio = () => end('INTERRUPTED');
    playback.add(text, (samples.length / sampleRate) * 1000);
    if (reply.interruptAfterMs !== undefined) {
      this.host.interruptAfter(reply.interruptAfterMs);
      reply.interruptAfterMs = undefined;
    }

    const pcm = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    const started = clock.now();
    let chunks = 0;
    for (const bytes of audioChunks(pcm.length, sampleRate, random)) {
      // Deadlines are absolute, so that a late timer does not slow the whole reply down.
      const due = started + chunks * profile.chunkInterval;
      if (!(await reply.wait(clock, due - clock.now()))) return false;
      chunks++;
      const content = pcm.subarray(bytes.from, bytes.to).toString('base64');
      output.emit('audioOutput', { content, contentId, role: 'ASSISTANT' });
      reply.unreportedAudioMs += ((bytes.to - bytes.from) / 2 / sampleRate) * 1000;
      if (reply.unreportedAudioMs >= USAGE_EVERY_MS) {
        reply.unreportedAudioMs -= USAGE_EVERY_MS;
        output.sendUsage({ output: { speechTokens: USAGE_TOKENS } });
      }
    }
    if (!(await reply.wait(clock, draw(profile.audioEnd, random)))) return false;
    end(last ? 'END_TURN' : 'PARTIAL_TURN');
    if (!last) return true;
    const speechTokens = Math.round((reply.unreportedAudioMs / 1000) * SPEECH_TOKENS_PER_SECOND);
    if (speechTokens) output.sendUsage({ output: { speechTokens } });
    playback.scheduleFinalTexts();
    return true;
  }

  private callTools(reply: Reply, calls: readonly ScriptedCall[]): void {
    const { output, random } = this.context;
    for (const { name, args } of calls) {
      const contentId = random.uuid();
      const toolUseId = random.uuid();
      reply.calls.open.set(toolUseId, name);
      this.host.expect(toolUseId, reply.calls);
      const content = JSON.stringify(fillAll(args, reply.placeholders, this.unknownPlaceholder));
      output.emit('contentStart', {
        contentId,
        role: 'TOOL',
        toolUseOutputConfiguration: { mediaType: 'application/json' },
        type: 'TOOL',
      });
      output.emit('toolUse', { content, contentId, role: 'TOOL', toolName: name, toolUseId });
      output.emit('contentEnd', { contentId, stopReason: 'TOOL_USE', type: 'TOOL' });
    }
  }

  /** The steps from `next` on follow the last result. */
  private waitForResults({ turn, steps, calls }: Reply, next: number): void {
    calls.waiting = new Reply(turn, steps.slice(next), this.context.profile.thinkTool, calls);
  }

  /** What is said while tools run was interrupted: the answer still comes (sonic-async-tools). */
  private keepAnswer(reply: Reply, from: number): void {
    const results = reply.steps.findIndex((step, i) => i >= from && 'results' in step);
    if (results >= 0 && reply.calls.open.size > 0) this.waitForResults(reply, results + 1);
  }
}

const isSpoken = (step: ScriptStep) => 'say' in step || 'tools' in step;

/** Chunks of 80 ms, the last of up to 200 ms; at 16 kHz of irregular size (capture). */
function* audioChunks(
  length: number,
  sampleRate: number,
  random: SeededRandom,
): Generator<{ from: number; to: number }> {
  const even = sampleRate * 0.08 * 2;
  const rest = sampleRate * 0.2 * 2;
  for (let from = 0; from < length; ) {
    const size = sampleRate === 16_000 ? random.whole(1264, 3200) * 2 : even;
    const to = length - from <= rest ? length : from + size;
    yield { from, to };
    from = to;
  }
}
