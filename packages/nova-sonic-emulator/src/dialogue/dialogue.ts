// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import { StreamError, TEXT } from '../protocol/errors.js';
import type { Sensitivity } from '../protocol/events.js';
import type { SeededRandom } from '../random.js';
import type { EndpointingTimings, SpeechEvent } from '../speech/speech-detector.js';
import type { TextToSpeech } from '../speech/speech-synthesizer.js';
import { type EventSink, OutputEvents } from './output-events.js';
import { Playback } from './playback.js';
import { type Delay, draw, type Profile, type Quirks } from './profile.js';
import {
  type PromptSettings,
  Reply,
  type ReplyHost,
  ReplyPlayer,
  type ToolCalls,
} from './reply.js';
import type { Script, ScriptTurn } from './script.js';
import { SPEECH_TOKENS_PER_SECOND, textTokens } from './usage.js';

export interface DialogueOptions {
  clock: Clock;
  random: SeededRandom;
  profile: Profile;
  textToSpeech: TextToSpeech;
  script: Script;
  /** The texts of the history that opened the session, one line each.  @default none */
  history?: () => string;
  sink: EventSink;
  quirks: () => Quirks;
}

/** The dialogue of one session: receives what the user does and sends what the model would send, when it would. */
export class Dialogue implements ReplyHost {
  readonly playback: Playback;
  private readonly output: OutputEvents;
  private replyPlayer?: ReplyPlayer;
  private closed = false;

  private userSpeaking = false;
  private bargedIn = false;
  /** A spoken turn without an answer so far: further speech of the user extends it. */
  private turn?: { turn: ScriptTurn; windows: number };
  private active?: Reply;
  private queue: Reply[] = [];
  private userEvents: Promise<void> = Promise.resolve();
  private readonly timers = new Set<() => void>();
  private stopInterrupt = () => {};
  /** Tool calls that wait for results: the calls of the turn that each belongs to. */
  private readonly pendingCalls = new Map<string, ToolCalls>();

  constructor(private readonly options: DialogueOptions) {
    const { clock, profile, quirks, random, sink } = options;
    this.output = new OutputEvents(sink, random);
    this.playback = new Playback(clock, this.output, profile, random, quirks);
  }

  /** The prompt is open: usage events follow, even without speech. */
  async start(prompt: PromptSettings): Promise<void> {
    const { output, playback } = this;
    this.replyPlayer = new ReplyPlayer({ ...this.options, output, playback }, prompt, this);
    const { firstUsage, nextUsage } = this.options.profile;
    await this.sleep(firstUsage);
    output.sendUsage({ input: { textTokens: 22 } });
    await this.sleep(nextUsage[0]);
    output.sendUsage({ input: { speechTokens: 157 } });
    output.sendUsage({ input: { textTokens: 1 } });
    await this.sleep(nextUsage[1]);
    output.sendUsage({ input: { textTokens: 43 } });
  }

  /** How the user's speech is detected now: it depends on whose turn it is. */
  endpointing(sensitivity: Sensitivity): EndpointingTimings {
    const { bargeInPause, pause, speechResume, speechStart } = this.options.profile;
    return {
      startMs: this.turn ? speechResume : speechStart,
      pauseMs: this.bargedIn ? bargeInPause : pause[sensitivity],
    };
  }

  /**
   * Noise that was taken for speech: userSpeechStart and userSpeechEnd without a transcript and without a reply. It
   * interrupts like speech; a reply that had not begun comes later.
   */
  falseSpeech(offsetMs: number, durationMs: number): void {
    this.userEvents = this.userEvents
      .then(async () => {
        await this.userSpeechStarted(offsetMs, false);
        await this.sleep(durationMs);
        if (this.closed) return;
        this.output.emit('userSpeechEnd', {
          inputAudioOffsetMs: offsetMs + durationMs,
          inputAudioDetectionOffsetMs: offsetMs + durationMs,
        });
        this.userSpeaking = false;
        this.bargedIn = false;
        this.startNext();
      })
      .catch((error) => this.internalError(error));
  }

  /** Speech began or ended; events keep their order however fast the audio came. */
  speechEvent(event: SpeechEvent): void {
    this.userEvents = this.userEvents
      .then(() =>
        event.kind === 'start'
          ? this.userSpeechStarted(event.offsetMs)
          : this.userSpeechEnded(event),
      )
      .catch((error) => this.internalError(error));
  }

  private async userSpeechStarted(offsetMs: number, real = true): Promise<void> {
    await this.sleep(this.options.profile.speechStartLag);
    if (this.closed) return;
    this.output.emit('userSpeechStart', { inputAudioOffsetMs: offsetMs });
    this.output.startCompletion();
    this.userSpeaking = true;
    this.bargedIn = false;
    if (this.active && !this.active.speaking) this.postpone(this.active);
    // A spoken turn is answered once the user has really finished; other replies keep their place.
    const open = this.turn?.turn;
    if (real) this.queue = this.queue.filter((reply) => reply.turn !== open);
    this.bargedIn = this.interrupt('speech');
    if (!this.bargedIn) this.playback.sendFinalTexts();
  }

  private async userSpeechEnded(event: SpeechEvent & { kind: 'end' }): Promise<void> {
    const { profile, quirks, random } = this.options;
    const lag = draw(profile.speechEndLag, random);
    // The capture shows the window's tokens some 64 ms before the end of speech.
    await this.sleep(Math.max(0, lag - 64));
    const seconds = (event.detectedMs - event.offsetMs + event.speechMs) / 1000;
    if (this.closed) return;
    const speechTokens = Math.round(seconds * SPEECH_TOKENS_PER_SECOND);
    this.output.sendUsage({ input: { speechTokens } });
    await this.sleep(Math.min(64, lag));
    if (this.closed) return;
    this.turn ??= { turn: this.takeTurn('speech'), windows: 0 };
    const { turn } = this.turn;
    const text = turn.transcript(this.turn.windows++, event.speechMs);
    turn.user = turn.user ? `${turn.user} ${text}` : text;
    const end = () =>
      this.output.emit('userSpeechEnd', {
        inputAudioOffsetMs: event.offsetMs,
        inputAudioDetectionOffsetMs: event.detectedMs,
      });
    const early = quirks().textBeforeSpeechEnd;
    if (!early) {
      end();
      await this.sleep(profile.transcript);
      if (this.closed) return;
    }
    this.output.sendText('USER', 'FINAL', text, 'PARTIAL_TURN');
    if (early) end();
    this.output.sendUsage({ input: { textTokens: 270 + textTokens(text) } });
    this.userSpeaking = false;
    this.bargedIn = false;
    this.enqueue(new Reply(turn, turn.steps, profile.think));
  }

  /** The user typed: interactive text. It is answered like speech. */
  typedText(text: string): void {
    if (this.closed) return;
    this.interrupt('text');
    const { emptyUserText, typedTextIgnored } = this.options.quirks();
    if (emptyUserText) this.output.sendText('USER', 'FINAL', '', 'PARTIAL_TURN');
    if (typedTextIgnored) return;
    const turn = this.takeTurn('text', text);
    const reply = new Reply(turn, turn.steps, this.options.profile.thinkTyped);
    reply.inputTokens = textTokens(text);
    this.enqueue(reply);
  }

  /** True while a tool call waits for its result. */
  get toolPending(): boolean {
    return this.pendingCalls.size > 0;
  }

  /** True for a call that waits for its result. */
  awaits(toolUseId: string): boolean {
    return this.pendingCalls.has(toolUseId);
  }

  /** A tool's result; the last one of a group starts the spoken answer. */
  toolResult(toolUseId: string, result: Record<string, unknown>): void {
    const calls = this.pendingCalls.get(toolUseId);
    if (!calls || this.closed) return;
    this.pendingCalls.delete(toolUseId);
    calls.results.set(calls.open.get(toolUseId) as string, result).set('tool', result);
    calls.open.delete(toolUseId);
    this.output.sendUsage({ input: { textTokens: textTokens(JSON.stringify(result)) } });
    const { waiting } = calls;
    if (calls.open.size > 0 || !waiting) return;
    calls.waiting = undefined;
    this.enqueue(waiting);
  }

  /** The client ended the prompt: the reply stops; completionEnd follows. */
  async promptEnd(): Promise<void> {
    this.close();
    const { clock, profile, random } = this.options;
    await new Promise<void>((done) => clock.after(draw(profile.completionEnd, random), done));
    this.output.endCompletion();
  }

  /** Stops every timer. */
  close(): void {
    this.active?.cancel();
    this.active = undefined;
    this.queue = [];
    this.playback.clear();
    this.stopInterrupt();
    for (const stop of this.timers) stop();
    this.timers.clear();
    this.output.close();
    this.closed = true;
  }

  commit(reply: Reply): void {
    reply.speaking = true;
    if (this.turn?.turn === reply.turn) this.turn = undefined;
  }

  expect(toolUseId: string, calls: ToolCalls): void {
    this.pendingCalls.set(toolUseId, calls);
  }

  interruptAfter(ms: number): void {
    this.stopInterrupt = this.options.clock.after(ms, () => this.interrupt('scenario'));
  }

  private interrupt(cause: 'speech' | 'text' | 'scenario'): boolean {
    this.stopInterrupt();
    const reply = this.active?.speaking ? this.active : undefined;
    if (!reply && !this.playback.playing) return false;
    reply?.cancel();
    if (reply === this.active) this.active = undefined;
    this.options.sink.note('bargeIn', { cause });
    reply?.closeAudio?.();
    if (this.options.quirks().bareBargeIn) {
      this.playback.clear();
    } else {
      this.output.sendText('ASSISTANT', 'FINAL', '{ "interrupted" : true }', 'INTERRUPTED');
      this.playback.sendSpokenTexts();
      this.output.sendUsage({ input: { textTokens: 1 } });
    }
    this.startNext();
    return true;
  }

  /** Waits; if the dialogue closes, its timer is cancelled and the promise never settles. */
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

  private takeTurn(kind: 'speech' | 'text', text?: string): ScriptTurn {
    const turn = this.options.script.take(kind, text, this.options.history?.());
    if (!turn) throw new Error('the script has no turn');
    return turn;
  }

  private enqueue(reply: Reply): void {
    this.queue.push(reply);
    this.startNext();
  }

  /** Puts back a reply that had not started: the user speaks again. */
  private postpone(reply: Reply): void {
    reply.cancel();
    this.active = undefined;
    this.queue.unshift(reply.restarted());
  }

  private startNext(): void {
    if (this.active || this.userSpeaking || this.closed) return;
    const reply = this.queue.shift();
    if (!reply) return;
    this.active = reply;
    this.player
      .play(reply)
      .catch((error) => this.internalError(error))
      .finally(() => {
        if (this.active !== reply) return;
        this.active = undefined;
        this.startNext();
      });
  }

  private get player(): ReplyPlayer {
    if (!this.replyPlayer) throw new Error('the prompt has not started');
    return this.replyPlayer;
  }

  /** An internal error of the emulator ends the session as one of the service's would. */
  private internalError(error: unknown): void {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.sink.fail(new StreamError('internalServerException', TEXT.internal, why));
  }
}
