// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import { type RealtimeModelOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { NOVA_SONIC_1, NOVA_SONIC_2, NOVA_SONIC_2_5 } from './protocol/models.js';
import { RealtimeSession } from './session/realtime-session.js';
import { SessionFamily } from './session/session-family.js';

/** Credentials, and a client that holds some, are used but never printed: JSON and `util.inspect` leave them out. */
function withoutSecrets(options: ResolvedOptions): ResolvedOptions {
  const hidden = { enumerable: false };
  for (const lane of options.lanes) Object.defineProperties(lane, { credentials: hidden });
  return Object.defineProperties(options, { credentials: hidden, client: hidden });
}

/**
 * Amazon Nova Sonic, speech to speech, for LiveKit Agents.
 *
 * ```ts
 * const session = new voice.AgentSession({ llm: new RealtimeModel({ voice: 'amy', region: ['us-east-1', 'us-west-2'] }) });
 * ```
 *
 * @throws Error of one sentence that names the invalid option, its value and what is allowed
 */
export class RealtimeModel extends llm.RealtimeModel {
  /** The options with every default in place. */
  readonly options: ResolvedOptions;
  readonly #family = new SessionFamily<RealtimeSession>();

  constructor(options: RealtimeModelOptions = {}) {
    super({
      messageTruncation: false,
      turnDetection: true,
      userTranscription: true,
      autoToolReplyGeneration: true,
      audioOutput: true,
      // The result of a tool that awaits an AgentTask reaches the model, see SessionFamily: the framework need not warn.
      manualFunctionCalls: true,
      midSessionChatCtxUpdate: false,
      midSessionInstructionsUpdate: false,
      midSessionToolsUpdate: false,
      perResponseToolChoice: false,
    });
    this.options = withoutSecrets(resolveOptions(options));
  }

  /** Nova 2 Sonic (`amazon.nova-2-sonic-v1:0`). */
  static withNovaSonic2(options: Omit<RealtimeModelOptions, 'model'> = {}): RealtimeModel {
    return new RealtimeModel({ ...options, model: NOVA_SONIC_2 });
  }

  /** Nova 2.5 Sonic (`amazon.nova-2-5-sonic`). */
  static withNovaSonic25(options: Omit<RealtimeModelOptions, 'model'> = {}): RealtimeModel {
    return new RealtimeModel({ ...options, model: NOVA_SONIC_2_5 });
  }

  /** The first Nova Sonic, which is past its end of life: needs `force: true`. Speech in only. */
  static withNovaSonic1(options: Omit<RealtimeModelOptions, 'model'> = {}): RealtimeModel {
    return new RealtimeModel({ modalities: 'audio', ...options, model: NOVA_SONIC_1 });
  }

  /** Model id, as it is sent to Bedrock. */
  override get model(): string {
    return this.options.model;
  }

  /** `Amazon`. */
  override get provider(): string {
    return 'Amazon';
  }

  /** `nova-sonic.RealtimeModel`, as LiveKit names the model in metrics and errors. */
  override label(): string {
    return 'nova-sonic.RealtimeModel';
  }

  /** `mixed`, or `audio` when the model takes no text. */
  get modalities(): 'audio' | 'mixed' {
    return this.options.modalities;
  }

  /** Creates the session of one agent; it connects once instructions, history and tools are known. */
  override session(): RealtimeSession {
    return new RealtimeSession(this, this.options, this.#family);
  }

  /** How many sessions of this model have not been closed. */
  get openSessions(): number {
    return this.#family.open.size;
  }

  /** Closes every session of this model. The framework never calls it: call it when your job ends. */
  override async close(): Promise<void> {
    await Promise.all([...this.#family.open].map((session) => session.close()));
  }
}
