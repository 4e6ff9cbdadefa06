// SPDX-License-Identifier: Apache-2.0
import type { Fault } from 'nova-sonic-emulator';

/** Failures that a call survives: of the connection, in the stream, and of what is said in it. */
export const FAULTS: readonly Fault[] = [
  { kind: 'throttle', times: 2 },
  { kind: 'model-not-ready' },
  { kind: 'http', status: 503, type: 'ServiceUnavailableException' },
  { kind: 'late-headers', delayMs: 300 },
  { kind: 'exception', type: 'modelTimeoutException', after: 'in:audioInput#60' },
  { kind: 'exception', type: 'internalServerException', after: 'out:audioOutput#2' },
  { kind: 'exception', type: 'throttlingException', after: 'out:userSpeechStart#1' },
  { kind: 'exception', type: 'serviceUnavailableException', after: 'out:userSpeechEnd#1' },
  { kind: 'exception', type: 'modelStreamErrorException', after: 'out:textOutput#2' },
  { kind: 'reset', after: 'in:audioInput#90' },
  { kind: 'reset', after: 'out:userSpeechEnd#1' },
  { kind: 'kill', after: 'in:audioInput#120' },
  { kind: 'kill', after: 'out:userSpeechStart#1' },
  { kind: 'kill', after: 'out:toolUse#1' },
  { kind: 'goaway', after: 'in:audioInput#50' },
  { kind: 'silent', after: 'out:userSpeechEnd#1' },
  { kind: 'malformed', form: 'json', after: 'out:usageEvent#2' },
  { kind: 'malformed', form: 'empty', after: 'out:usageEvent#2' },
  { kind: 'malformed', form: 'checksum', after: 'out:textOutput#1' },
  { kind: 'unknown-event', after: 'out:usageEvent#1' },
  { kind: 'text-before-speech-end' },
  { kind: 'bare-barge-in' },
  { kind: 'no-final-text' },
];
