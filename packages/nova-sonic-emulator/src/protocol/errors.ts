// SPDX-License-Identifier: Apache-2.0
import { citation, type RuleName } from './rules.js';

/** Exceptions of the response stream, as its `:exception-type` header spells them. */
export const STREAM_EXCEPTIONS = [
  'internalServerException',
  'modelStreamErrorException',
  'validationException',
  'throttlingException',
  'modelTimeoutException',
  'serviceUnavailableException',
] as const;
export type StreamException = (typeof STREAM_EXCEPTIONS)[number];

/** Ends a stream with an exception inside it. */
export class StreamError extends Error {
  /**
   * @param type `:exception-type` of the frame
   * @param message the service's text, without `RequestId=… : `
   * @param why what a developer should know: what was sent. Recorded and logged, never sent.
   * @param rule the rule that a client broke
   */
  constructor(
    readonly type: StreamException,
    message: string,
    readonly why: string,
    readonly rule?: RuleName,
  ) {
    super(message);
    this.name = 'StreamError';
  }
}

/** Refuses a request before its stream starts. */
export class HttpError extends Error {
  /**
   * @param status HTTP status
   * @param type name in `x-amzn-errortype`
   * @param message the service's text
   * @param why what a developer should know; recorded and logged, never sent
   * @param rule the rule that a client broke
   */
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly why: string,
    readonly rule?: RuleName,
  ) {
    super(message);
    this.name = 'HttpError';
  }
}

/** The texts of the service, verbatim (README.md, evidence L). */
export const TEXT = {
  parse: 'Unable to parse input chunk. Please check input format contains correct format.',
  invalid: 'Invalid input request',
  duplicateSystem: 'Duplicate SYSTEM content. SYSTEM content can only be provided once per prompt',
  noContentData: (id: string) => `Cannot end content [${id}] as no content data was received`,
  openContents: 'All contents must be closed before ending prompt',
  noAudio: (prompt: string) => `Prompt [${prompt}] must have at least one audio content`,
  invalidId: (id: string) => `Received invalid id: '${id}'`,
  toolResponse: 'Tool Response parsing error',
  historyLimit: 'Chat history is over max limit. Trim chat history and try again.',
  historyFirst: 'First message in chat history should not be Assistant',
  historyLate: 'Chat history should be sent completely before streaming audio',
  systemFirst: 'First content must have SYSTEM role',
  noPrompts: 'No prompts were received in the sequence',
  promptsOpen: (ids: string[]) =>
    `Error(s):\nError 1 : The following prompts were not closed: [${ids.join(', ')}]`,
  idle: (seconds: number) =>
    'Timed out waiting for audio bytes or interactive content. Please ensure gaps between audio ' +
    `bytes and interactive content are less than ${seconds} seconds`,
  connection: 'Model has timed out in processing the request. Try your request again.',
  internal: 'The system encountered an unexpected error during processing. Try your request again.',
  unavailable: 'Bedrock is unable to process your request.',
  throttled: 'Too many requests, please wait before trying again.',
  endOfLife:
    'This model version has reached the end of its life. Please refer to the AWS documentation for more details.',
  modelId: 'The provided model identifier is invalid.',
  signature:
    'The request signature we calculated does not match the signature you provided. Check your ' +
    'AWS Secret Access Key and signing method. Consult the service documentation for details.',
  token: 'The security token included in the request is invalid.',
  contentFilter: 'This request has been blocked by our content filters.',
  deaf: 'Invalid input request, please fix your input and try again',
  accessDenied: "You don't have access to the model with the specified model ID.",
  notReady: 'The model specified in the request is not ready to serve inference requests.',
  noToken: 'Missing Authentication Token',
} as const;

/** A ValidationException inside the stream. */
export const invalid = (message: string, why: string, rule: RuleName): StreamError =>
  new StreamError('validationException', message, why, rule);

/** What went wrong, and the rule with its evidence. */
export const explanation = ({ why, rule }: Pick<StreamError, 'why' | 'rule'>): string =>
  rule ? `${why}; ${citation(rule)}` : why;

/** What each exception says when a scenario or a fault does not. */
export const DEFAULT_MESSAGE: Record<StreamException, string> = {
  internalServerException: TEXT.internal,
  modelStreamErrorException: TEXT.connection,
  validationException: 'System instability detected. Please retry your request.',
  throttlingException: TEXT.throttled,
  modelTimeoutException: TEXT.connection,
  serviceUnavailableException: TEXT.unavailable,
};
