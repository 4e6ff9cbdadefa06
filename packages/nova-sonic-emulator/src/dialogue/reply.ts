// SPDX-License-Identifier: Apache-2.0
import { StreamError } from '../protocol/errors.js';
import type { Conversation } from './dialogue.js';
import { type Delay, draw } from './profile.js';
import { type Context, fill, fillAll, type ScriptedCall, type Step, type Turn } from './script.js';
import { SPEECH_TOKENS_PER_SECOND, textTokens } from './usage.js';

/** 20 speech tokens for every 800 ms of output (capture). */
const USAGE_EVERY_MS = 800;
const USAGE_TOKENS = 20;
/** The tokens of a text are told some 13 ms before the text (capture). */
const USAGE_LEAD_MS = 13;

/** A reply, or the rest of one that waited for tools. */
export class Job {
  /** The first text or tool call was sent. */
  speaking = false;
  /** Results of tools so far, by name. */
  readonly results = new Map<string, unknown>();
  /** Tokens of typed text, told with the reply's first usage. */
  inputTokens = 0;
  /** Milliseconds of audio sent whose tokens no usageEvent has told yet. */
  unpaidMs = 0;
  /** When the scenario interrupts the reply, counted from its first sound. */
  interruptAfterMs?: number;
  /** Closes an open AUDIO block when the reply is interrupted. */
  closeAudio?: () => void;
  private over = false;
  private wake?: () => void;

  constructor(
    readonly turn: Turn,
    readonly steps: readonly Step[],
    readonly delay: Delay,
  ) {}

  get cancelled(): boolean {
    return this.over;
  }

  get context(): Context {
    return { user: this.turn.user, results: this.results };
  }

  /** The same, from the beginning. */
  again(): Job {
    const job = new Job(this.turn, this.steps, this.delay);
    for (const [name, result] of this.results) job.results.set(name, result);
    job.inputTokens = this.inputTokens;
    return job;
  }

  cancel(): void {
    this.over = true;
    this.wake?.();
  }

  /** False when the job was cancelled meanwhile. */
  wait(conversation: Conversation, ms: number): Promise<boolean> {
    if (this.over) return Promise.resolve(false);
    if (ms <= 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const stop = conversation.options.clock.after(ms, () => {
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

/** Carries out a reply's steps; returns early when it is interrupted. */
export async function runJob(conversation: Conversation, job: Job): Promise<void> {
  const { outlet, random } = conversation.options;
  prefetch(conversation, job);
  let delay = draw(job.delay, random);
  for (const [i, step] of job.steps.entries()) {
    if ('pauseMs' in step) {
      delay += step.pauseMs;
    } else if ('interruptAfterMs' in step) {
      job.interruptAfterMs = step.interruptAfterMs;
    } else if ('error' in step) {
      if (!(await job.wait(conversation, delay))) return;
      const { type, message } = step.error;
      outlet.fail(new StreamError(type, message, 'the scenario says so'));
      return;
    } else if ('tools' in step) {
      if (!(await job.wait(conversation, delay))) return;
      conversation.startCompletion();
      conversation.commit(job);
      const missing = step.tools.find(({ name }) => !conversation.settings.toolNames.has(name));
      if (missing) {
        await sayMissing(conversation, job, missing.name);
        return;
      }
      callTools(conversation, job, step.tools, job.steps.slice(i + 1));
      return;
    } else {
      const text = fill(step.say, job.context, missing(conversation));
      const last = !job.steps.slice(i + 1).some((later) => 'say' in later || 'tools' in later);
      if (!(await say(conversation, job, text, delay, last))) return;
      delay = 0;
    }
  }
  await job.wait(conversation, delay);
}

/** Sentences without placeholders can be synthesised before they are due. */
function prefetch(conversation: Conversation, job: Job): void {
  for (const step of job.steps) {
    if ('say' in step && !step.say.includes('{{')) {
      void synthesize(conversation, job, step.say).catch(() => {});
    }
  }
}

function synthesize(conversation: Conversation, job: Job, text: string): Promise<Int16Array> {
  const { voice, sampleRate } = conversation.settings;
  const spoken = job.turn.locale ? { ...voice, locale: job.turn.locale } : voice;
  return conversation.options.speaker.say(text, spoken, sampleRate);
}

/** Stands in for a placeholder that refers to nothing, and tells of it. */
const missing = (conversation: Conversation) => (path: string) => {
  conversation.options.outlet.note('warning', {
    text: `scenario: nothing is known of {{${path}}}`,
  });
  return `(no ${path})`;
};

async function sayMissing(conversation: Conversation, job: Job, name: string): Promise<void> {
  conversation.options.outlet.note('warning', {
    text: `the scenario calls the tool ${name}, which promptStart does not declare`,
  });
  await say(conversation, job, `I would call the tool ${name}, but it is not declared.`, 0, true);
}

/** One sentence: SPECULATIVE text, then its audio. False when interrupted. */
async function say(
  conversation: Conversation,
  job: Job,
  text: string,
  delay: number,
  last: boolean,
): Promise<boolean> {
  const { clock, outlet, profile, random } = conversation.options;
  const speech = synthesize(conversation, job, text);
  speech.catch(() => {});
  if (!(await job.wait(conversation, delay - USAGE_LEAD_MS))) return false;
  const input = { textTokens: job.inputTokens };
  job.inputTokens = 0;
  conversation.sendUsage({ input, output: { textTokens: textTokens(text) } });
  if (!(await job.wait(conversation, Math.min(delay, USAGE_LEAD_MS)))) return false;
  conversation.startCompletion();
  conversation.commit(job);
  conversation.sendText('ASSISTANT', 'SPECULATIVE', text, 'PARTIAL_TURN');
  const due = clock.now() + draw(profile.textToAudio, random);
  let samples: Int16Array;
  try {
    samples = await speech;
  } catch (error) {
    if (job.cancelled) return false;
    outlet.note('warning', { text: `no speech for ${JSON.stringify(text)}: ${error}` });
    samples = new Int16Array(conversation.settings.sampleRate);
  }
  if (job.cancelled || !(await job.wait(conversation, due - clock.now()))) return false;
  return sendAudio(conversation, job, text, samples, last);
}

async function sendAudio(
  conversation: Conversation,
  job: Job,
  text: string,
  samples: Int16Array,
  last: boolean,
): Promise<boolean> {
  const { clock, profile, random } = conversation.options;
  const { sampleRate } = conversation.settings;
  const contentId = random.uuid();
  const end = (stopReason: string) => {
    job.closeAudio = undefined;
    conversation.emit('contentEnd', { contentId, stopReason, type: 'AUDIO' });
  };
  conversation.emit('contentStart', {
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
  job.closeAudio = () => end('INTERRUPTED');
  conversation.playback.add(text, (samples.length / sampleRate) * 1000);
  if (job.interruptAfterMs !== undefined) {
    clock.after(job.interruptAfterMs, () => conversation.interrupt('scenario'));
    job.interruptAfterMs = undefined;
  }

  const pcm = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const started = clock.now();
  let chunks = 0;
  for (const bytes of cut(pcm.length, sampleRate, random)) {
    // Deadlines are absolute, so that a late timer does not slow the whole reply down.
    const due = started + chunks * profile.chunkInterval;
    if (!(await job.wait(conversation, due - clock.now()))) return false;
    chunks++;
    const content = pcm.subarray(bytes.from, bytes.to).toString('base64');
    conversation.emit('audioOutput', { content, contentId, role: 'ASSISTANT' });
    job.unpaidMs += ((bytes.to - bytes.from) / 2 / sampleRate) * 1000;
    if (job.unpaidMs >= USAGE_EVERY_MS) {
      job.unpaidMs -= USAGE_EVERY_MS;
      conversation.sendUsage({ output: { speechTokens: USAGE_TOKENS } });
    }
  }
  if (!(await job.wait(conversation, draw(profile.audioEnd, random)))) return false;
  end(last ? 'END_TURN' : 'PARTIAL_TURN');
  if (!last) return true;
  const speechTokens = Math.round((job.unpaidMs / 1000) * SPEECH_TOKENS_PER_SECOND);
  if (speechTokens) conversation.sendUsage({ output: { speechTokens } });
  conversation.playback.scheduleFinalTexts();
  return true;
}

/** Chunks of 80 ms, the last of up to 200 ms; at 16 kHz of irregular size (the capture). */
function* cut(
  length: number,
  sampleRate: number,
  random: { whole(low: number, high: number): number },
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

function callTools(
  conversation: Conversation,
  job: Job,
  calls: readonly ScriptedCall[],
  rest: readonly Step[],
): void {
  const { random, profile } = conversation.options;
  const ids = new Map<string, string>();
  for (const { name, args } of calls) {
    const contentId = random.uuid();
    const toolUseId = random.uuid();
    ids.set(toolUseId, name);
    const content = JSON.stringify(fillAll(args, job.context, missing(conversation)));
    conversation.emit('contentStart', {
      contentId,
      role: 'TOOL',
      toolUseOutputConfiguration: { mediaType: 'application/json' },
      type: 'TOOL',
    });
    conversation.emit('toolUse', { content, contentId, role: 'TOOL', toolName: name, toolUseId });
    conversation.emit('contentEnd', { contentId, stopReason: 'TOOL_USE', type: 'TOOL' });
  }
  const continuation = new Job(job.turn, rest, profile.thinkTyped);
  for (const [name, result] of job.results) continuation.results.set(name, result);
  conversation.expect(ids, continuation);
}
