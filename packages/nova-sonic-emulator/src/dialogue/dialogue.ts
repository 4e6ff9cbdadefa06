// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import { StreamError, TEXT } from '../protocol/errors.js';
import type { Model, Voice } from '../protocol/models.js';
import type { Random } from '../random.js';
import type { EndpointTimings, Heard } from '../speech/speech-detector.js';
import type { Speaker } from '../speech/speech-synthesizer.js';
import { Playback } from './playback.js';
import { type Delay, draw, type Profile, type Sensitivity } from './profile.js';
import { Job, runJob } from './reply.js';
import type { Script, Turn } from './script.js';
import { SPEECH_TOKENS_PER_SECOND, textTokens, Usage, type UsageDelta } from './usage.js';

/** Where a conversation's events go. */
export interface Outlet {
  /** Sends an output event; the ids of session and prompt are added. */
  emit(name: string, body: Record<string, unknown>): void;
  /** Records something that is not sent. */
  note(name: string, detail?: Record<string, unknown>): void;
  /** Ends the stream with an exception. */
  fail(error: StreamError): void;
}

/** Deviations that the real service shows at times. */
export interface Quirks {
  /** The USER text arrives before userSpeechEnd. */
  textBeforeSpeechEnd: boolean;
  /** A barge-in shows as userSpeechStart alone, without the interrupted texts. */
  bareBargeIn: boolean;
  /** FINAL texts of the assistant are never sent. */
  noFinalText: boolean;
}

export interface ConversationOptions {
  clock: Clock;
  random: Random;
  profile: Profile;
  speaker: Speaker;
  script: Script;
  outlet: Outlet;
  quirks: () => Quirks;
}

/** What promptStart settled. */
export interface PromptSettings {
  model: Model;
  voice: Voice;
  sampleRate: number;
  toolNames: ReadonlySet<string>;
}

/** The dialogue of one session: takes what the user does, sends what the model would send, when it would. */
export class Conversation {
  readonly playback: Playback;
  private readonly usage = new Usage();
  private readonly completionId: string;
  private prompt?: PromptSettings;
  private completionStarted = false;
  private closed = false;

  private userSpeaking = false;
  private bargedIn = false;
  /** A spoken turn that is not answered yet: a user who goes on speaking extends it. */
  private turn?: { turn: Turn; windows: number };
  private active?: Job;
  private queue: Job[] = [];
  private userEvents: Promise<void> = Promise.resolve();
  private readonly timers = new Set<() => void>();
  /** Tool calls that wait for results: the group each belongs to. */
  private readonly pendingCalls = new Map<string, ToolGroup>();

  constructor(readonly options: ConversationOptions) {
    this.completionId = options.random.uuid();
    this.playback = new Playback(options.clock, this);
  }

  /** The prompt is open: usage events follow without any speech. */
  async start(prompt: PromptSettings): Promise<void> {
    this.prompt = prompt;
    const { firstUsage, nextUsage } = this.options.profile;
    await this.sleep(firstUsage);
    this.sendUsage({ input: { textTokens: 22 } });
    await this.sleep(nextUsage[0]);
    this.sendUsage({ input: { speechTokens: 157 } });
    this.sendUsage({ input: { textTokens: 1 } });
    await this.sleep(nextUsage[1]);
    this.sendUsage({ input: { textTokens: 43 } });
  }

  get settings(): PromptSettings {
    if (!this.prompt) throw new Error('the prompt has not started');
    return this.prompt;
  }

  /** How the user's speech is found now: it depends on whose turn it is. */
  endpointing(sensitivity: Sensitivity): EndpointTimings {
    const { bargeInPause, pause, speechResume, speechStart } = this.options.profile;
    return {
      startMs: this.turn ? speechResume : speechStart,
      pauseMs: this.bargedIn ? bargeInPause : pause[sensitivity],
    };
  }

  /** Speech began or ended; events keep their order however fast the audio came. */
  heard(event: Heard): void {
    this.userEvents = this.userEvents
      .then(() => (event.kind === 'start' ? this.speechStart(event) : this.speechEnd(event)))
      .catch((error) => this.broken(error));
  }

  private async speechStart(event: Heard & { kind: 'start' }): Promise<void> {
    await this.sleep(this.options.profile.speechStartLag);
    if (this.closed) return;
    this.emit('userSpeechStart', { inputAudioOffsetMs: event.offsetMs });
    this.startCompletion();
    this.userSpeaking = true;
    this.bargedIn = false;
    if (this.active && !this.active.speaking) this.postpone(this.active);
    // A spoken turn is answered once the user has really ended; anything else keeps its place.
    const open = this.turn?.turn;
    this.queue = this.queue.filter((job) => job.turn !== open);
    this.bargedIn = this.interrupt('speech');
    if (!this.bargedIn) this.playback.sendFinalTexts();
  }

  private async speechEnd(event: Heard & { kind: 'end' }): Promise<void> {
    const lag = draw(this.options.profile.speechEndLag, this.options.random);
    // The capture shows the window's tokens some 64 ms before the end of speech.
    await this.sleep(Math.max(0, lag - 64));
    const seconds = (event.detectedMs - event.offsetMs + event.speechMs) / 1000;
    if (this.closed) return;
    this.sendUsage({ input: { speechTokens: Math.round(seconds * SPEECH_TOKENS_PER_SECOND) } });
    await this.sleep(Math.min(64, lag));
    if (this.closed) return;
    this.turn ??= { turn: this.take('speech'), windows: 0 };
    const { turn } = this.turn;
    const text = turn.transcript(this.turn.windows++, event.speechMs);
    turn.user = turn.user ? `${turn.user} ${text}` : text;
    const end = () =>
      this.emit('userSpeechEnd', {
        inputAudioOffsetMs: event.offsetMs,
        inputAudioDetectionOffsetMs: event.detectedMs,
      });
    const early = this.options.quirks().textBeforeSpeechEnd;
    if (!early) {
      end();
      await this.sleep(this.options.profile.transcript);
      if (this.closed) return;
    }
    this.sendText('USER', 'FINAL', text, 'PARTIAL_TURN');
    if (early) end();
    this.sendUsage({ input: { textTokens: 270 + textTokens(text) } });
    this.userSpeaking = false;
    this.bargedIn = false;
    this.enqueue(new Job(turn, turn.steps, this.options.profile.think));
  }

  /** The user typed: interactive text. It is answered like speech. */
  typed(text: string): void {
    if (this.closed) return;
    this.interrupt('text');
    const turn = this.take('text', text);
    const job = new Job(turn, turn.steps, this.options.profile.thinkTyped);
    job.inputTokens = textTokens(text);
    this.enqueue(job);
  }

  /** True for a call that waits for its result. */
  awaits(toolUseId: string): boolean {
    return this.pendingCalls.has(toolUseId);
  }

  /** A tool's result; the last one of a group starts the spoken answer. */
  toolResult(toolUseId: string, result: Record<string, unknown>): void {
    const group = this.pendingCalls.get(toolUseId);
    if (!group || this.closed) return;
    this.pendingCalls.delete(toolUseId);
    const name = group.open.get(toolUseId) as string;
    group.open.delete(toolUseId);
    group.job.results.set(name, result).set('tool', result);
    this.sendUsage({ input: { textTokens: textTokens(JSON.stringify(result)) } });
    if (group.open.size === 0) this.enqueue(group.job);
  }

  /** Registers calls whose results `continuation` waits for. */
  expect(calls: Map<string, string>, continuation: Job): void {
    const group: ToolGroup = { open: calls, job: continuation };
    for (const id of calls.keys()) this.pendingCalls.set(id, group);
  }

  /** The client ended the prompt: whatever was being said stops; completionEnd follows. */
  async promptEnd(): Promise<void> {
    this.stop();
    this.closed = true;
    const { clock, profile, random } = this.options;
    await new Promise<void>((done) => clock.after(draw(profile.completionEnd, random), done));
    if (this.completionStarted) this.emit('completionEnd', { stopReason: 'END_TURN' });
  }

  /** Stops every timer. */
  close(): void {
    this.stop();
    this.closed = true;
  }

  /** Acts as though the user had interrupted; false when nothing was being said. */
  interrupt(cause: 'speech' | 'text' | 'scenario'): boolean {
    const job = this.active?.speaking ? this.active : undefined;
    if (!job && !this.playback.playing) return false;
    job?.cancel();
    if (job === this.active) this.active = undefined;
    this.options.outlet.note('bargeIn', { cause });
    job?.closeAudio?.();
    if (this.options.quirks().bareBargeIn) {
      this.playback.forget();
    } else {
      this.sendText('ASSISTANT', 'FINAL', '{ "interrupted" : true }', 'INTERRUPTED');
      this.playback.sendSpokenTexts();
      this.sendUsage({ input: { textTokens: 1 } });
    }
    this.pump();
    return true;
  }

  // What follows is used by reply.ts and playback.ts.

  /** Sends an event with the completion's id. */
  emit(name: string, body: Record<string, unknown>): void {
    // userSpeechStart and userSpeechEnd belong to no completion.
    const { completionId } = this;
    const ids = name.startsWith('userSpeech') ? {} : { completionId };
    this.options.outlet.emit(name, { ...ids, ...body });
  }

  sendUsage(delta: UsageDelta): void {
    if (!this.closed) this.emit('usageEvent', this.usage.add(delta));
  }

  /** A whole TEXT block. */
  sendText(
    role: 'USER' | 'ASSISTANT',
    stage: 'SPECULATIVE' | 'FINAL',
    content: string,
    stopReason: 'PARTIAL_TURN' | 'END_TURN' | 'INTERRUPTED',
  ): void {
    const contentId = this.options.random.uuid();
    this.emit('contentStart', {
      additionalModelFields: JSON.stringify({ generationStage: stage }),
      contentId,
      role,
      textOutputConfiguration: { mediaType: 'text/plain' },
      type: 'TEXT',
    });
    this.emit('textOutput', { content, contentId, role });
    this.emit('contentEnd', { contentId, stopReason, type: 'TEXT' });
  }

  /** completionStart comes once a session. */
  startCompletion(): void {
    if (this.completionStarted) return;
    this.completionStarted = true;
    this.emit('completionStart', {});
  }

  /** Waits unless the session closes, which leaves the promise unresolved and its timer cancelled. */
  private sleep(delay: Delay): Promise<void> {
    const ms = draw(delay, this.options.random);
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.options.clock.after(ms, () => {
        this.timers.delete(stop);
        resolve();
      });
      this.timers.add(stop);
    });
  }

  private take(kind: 'speech' | 'text', text?: string): Turn {
    const turn = this.options.script.take(kind, text);
    if (!turn) throw new Error('the script has no turn');
    return turn;
  }

  private enqueue(job: Job): void {
    this.queue.push(job);
    this.pump();
  }

  /** Puts back a reply that had not begun: the user speaks again. */
  private postpone(job: Job): void {
    job.cancel();
    this.active = undefined;
    this.queue.unshift(job.again());
  }

  private pump(): void {
    if (this.active || this.userSpeaking || this.closed) return;
    const job = this.queue.shift();
    if (!job) return;
    this.active = job;
    runJob(this, job)
      .catch((error) => this.broken(error))
      .finally(() => {
        if (this.active !== job) return;
        this.active = undefined;
        this.pump();
      });
  }

  /** A fault of the emulator itself ends the session as one of the service's would. */
  private broken(error: unknown): void {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.outlet.fail(new StreamError('internalServerException', TEXT.internal, why));
  }

  /** The reply begins: its turn is no longer extended by further speech. */
  commit(job: Job): void {
    job.speaking = true;
    if (this.turn?.turn === job.turn) this.turn = undefined;
  }

  private stop(): void {
    this.active?.cancel();
    this.active = undefined;
    this.queue = [];
    this.playback.close();
    for (const stop of this.timers) stop();
    this.timers.clear();
  }
}

interface ToolGroup {
  /** toolUseId -> name of the tool, of the calls without a result. */
  open: Map<string, string>;
  job: Job;
}
