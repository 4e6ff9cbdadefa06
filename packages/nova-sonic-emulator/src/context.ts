// SPDX-License-Identifier: Apache-2.0
import type { ServerHttp2Stream } from 'node:http2';
import type { Clock } from './clock.js';
import type { EventLog } from './event-log.js';
import type { FaultSet } from './faults.js';
import type { ChunkVerifier } from './http2/signature.js';
import type { EmulatedNetwork } from './network/network.js';
import type { EmulatorConfig } from './options.js';
import type { HttpError } from './protocol/errors.js';
import type { Model } from './protocol/models.js';
import type { VoiceActivity } from './speech/speech-detector.js';
import type { TextToSpeech } from './speech/speech-synthesizer.js';

/** What the sessions of one emulator share. */
export interface EmulatorContext {
  config: EmulatorConfig;
  clock: Clock;
  textToSpeech: TextToSpeech;
  /** Makes the voice activity detector of a session. */
  createVad(): VoiceActivity;
  eventLog: EventLog;
  faults: FaultSet;
  network: EmulatedNetwork;
  /** Answers a request with an HTTP error. */
  refuse(stream: ServerHttp2Stream, error: HttpError, requestId: string): void;
  /** Closes the TCP connection under a stream, as a server that dies. */
  killSocket(stream: ServerHttp2Stream): void;
}

/** What a request settled before its stream began. */
export interface Admission {
  /** Account (or access key) and Region: what concurrent streams are counted by. */
  account: string;
  model: Model;
  /** Missing when signatures are not verified. */
  verifier?: ChunkVerifier;
}
