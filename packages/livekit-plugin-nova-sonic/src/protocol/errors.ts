// SPDX-License-Identifier: Apache-2.0
/**
 * What can go wrong with a Nova Sonic stream, and what to do about each.
 * Source of names and texts: Bedrock API reference of InvokeModelWithBidirectionalStream, and reports from the field.
 */

import { DEFAULT_STREAM_QUOTA } from './models.js';

/** The kinds of failure that are told apart, since each is handled in its own way. */
export type NovaSonicErrorKind =
  /** More streams than the account may have in the Region, or too many requests. */
  | 'throttled'
  /** No permission, or no access to the model in the Region. */
  | 'access_denied'
  /** Credentials could not be found, or are expired or invalid. */
  | 'credentials'
  /** The Region does not have the model. */
  | 'model_not_found'
  /** We sent what the service does not take; sending it again will not help. */
  | 'invalid_request'
  /** The content filter of the service stopped the conversation. */
  | 'content_filtered'
  /** The history that was sent is over the service's limit. */
  | 'history_too_long'
  /** The service closed a stream on which nothing was said for long. */
  | 'idle'
  /** The stream reached the service's own limit (8 minutes). */
  | 'model_timeout'
  /** The service failed; the next attempt may work. */
  | 'service'
  /** The connection broke or never came about. */
  | 'connection'
  /** The service was silent for longer than our watchdog allows. */
  | 'no_response'
  /** The call was not served within the retry budget. */
  | 'gave_up'
  /** Anything that is not known. */
  | 'unknown';

/** A failure of the plugin, with what happened, where, and whether another attempt makes sense. */
export class NovaSonicError extends Error {
  /** What happened, to be decided on by a program. */
  readonly kind: NovaSonicErrorKind;
  /** Another attempt may succeed. */
  readonly retryable: boolean;
  /** Another Region may succeed at once. */
  readonly otherRegion: boolean;
  /** AWS Region of the stream, when there was one. */
  region?: string;

  constructor(
    kind: NovaSonicErrorKind,
    message: string,
    options: { retryable: boolean; otherRegion?: boolean; cause?: unknown; region?: string },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NovaSonicError';
    this.kind = kind;
    this.retryable = options.retryable;
    this.otherRegion = options.otherRegion ?? false;
    this.region = options.region;
  }
}

/** True for errors of this package, also across the ESM and CommonJS copies of it. */
export const isNovaSonicError = (error: unknown): error is NovaSonicError =>
  error instanceof Error && error.name === 'NovaSonicError' && 'kind' in error;

/** Any thrown value as an Error. */
export const asError = (value: unknown): Error =>
  value instanceof Error ? value : new Error(String(value));

interface Rule {
  readonly kind: NovaSonicErrorKind;
  readonly retryable: boolean;
  readonly otherRegion?: boolean;
  /** What to do, appended to the service's words. */
  readonly advice: string;
}

const RULES = {
  throttled: {
    kind: 'throttled',
    retryable: true,
    otherRegion: true,
    advice: `the Region takes no more streams for now (Nova Sonic allows about ${DEFAULT_STREAM_QUOTA} per account and Region); name more Regions in \`region\``,
  },
  accessDenied: {
    kind: 'access_denied',
    retryable: false,
    otherRegion: true,
    advice:
      'allow bedrock:InvokeModelWithBidirectionalStream for the model, and check that the account has access to it in this Region',
  },
  credentials: {
    kind: 'credentials',
    retryable: false,
    advice:
      'give valid AWS credentials by the standard variables, a role, or the `credentials` option',
  },
  notFound: {
    kind: 'model_not_found',
    retryable: false,
    otherRegion: true,
    advice: 'use a Region that has the model',
  },
  invalid: {
    kind: 'invalid_request',
    retryable: false,
    advice: 'the service did not accept what was sent',
  },
  filtered: {
    kind: 'content_filtered',
    retryable: true,
    advice: 'the last exchange is left out of the history',
  },
  history: { kind: 'history_too_long', retryable: true, advice: 'the history is shortened' },
  idle: { kind: 'idle', retryable: true, advice: 'a new stream is opened' },
  modelTimeout: {
    kind: 'model_timeout',
    retryable: true,
    advice: 'a new stream is opened; a lower `renewAfter` avoids this',
  },
  service: { kind: 'service', retryable: true, otherRegion: true, advice: 'it is tried again' },
  connection: {
    kind: 'connection',
    retryable: true,
    otherRegion: true,
    advice: 'it is tried again',
  },
} satisfies Record<string, Rule>;

/** By the name of the exception, as the SDK gives it or as a stream carries it. */
const BY_NAME: Record<string, Rule> = {
  throttlingexception: RULES.throttled,
  toomanyrequestsexception: RULES.throttled,
  servicequotaexceededexception: RULES.throttled,
  accessdeniedexception: RULES.accessDenied,
  unrecognizedclientexception: RULES.credentials,
  expiredtokenexception: RULES.credentials,
  expiredtoken: RULES.credentials,
  invalidsignatureexception: RULES.credentials,
  incompletesignatureexception: RULES.credentials,
  missingauthenticationtokenexception: RULES.credentials,
  credentialsprovidererror: RULES.credentials,
  resourcenotfoundexception: RULES.notFound,
  modelnotreadyexception: RULES.service,
  modelerrorexception: RULES.service,
  modelstreamerrorexception: RULES.service,
  modeltimeoutexception: RULES.modelTimeout,
  internalserverexception: RULES.service,
  serviceunavailableexception: RULES.service,
  internalfailure: RULES.service,
  timeouterror: RULES.connection,
};

/** By words in the message, looked at before the name: a ValidationException says most things. */
const BY_TEXT: ReadonlyArray<readonly [RegExp, Rule]> = [
  [/model has timed out in processing/i, RULES.modelTimeout],
  [/timed out waiting for (audio|input)/i, RULES.idle],
  [/RST_STREAM closed stream/i, RULES.idle],
  [/system instability|invalid event bytes|unexpected error during processing/i, RULES.service],
  [/blocked by our content filters/i, RULES.filtered],
  [/history is over max limit/i, RULES.history],
  [/tool response parsing error|no events to transform/i, RULES.service],
];

const BY_STATUS: Record<number, Rule> = {
  400: RULES.invalid,
  401: RULES.credentials,
  403: RULES.accessDenied,
  404: RULES.notFound,
  408: RULES.modelTimeout,
  424: RULES.service,
  429: RULES.throttled,
  500: RULES.service,
  502: RULES.service,
  503: RULES.service,
  504: RULES.service,
};

/** Turns whatever the SDK or the network threw into an error that says what to do. Never throws. */
export function classifyError(thrown: unknown, region?: string): NovaSonicError {
  if (isNovaSonicError(thrown)) {
    thrown.region ??= region;
    return thrown;
  }
  const error = asError(thrown);
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const name = error.name.toLowerCase();
  let rule: Rule | undefined = BY_TEXT.find(([pattern]) => pattern.test(error.message))?.[1];
  rule ??= BY_NAME[name];
  if (!rule && name === 'validationexception') rule = RULES.invalid;
  if (
    !rule &&
    /http\/2|socket|ECONN|ENOTFOUND|EPIPE|ETIMEDOUT|EAI_AGAIN|aborted|premature close|ERR_HTTP2/i.test(
      `${(error as { code?: string }).code ?? ''} ${error.message}`,
    )
  )
    rule = RULES.connection;
  if (!rule && /credential/i.test(error.message)) rule = RULES.credentials;
  if (!rule && status !== undefined) rule = BY_STATUS[status];
  const where = region ? ` in ${region}` : '';
  const said = `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}`;
  if (!rule) {
    return new NovaSonicError('unknown', `Nova Sonic failed${where}: ${said}`, {
      retryable: true,
      cause: error,
      region,
    });
  }
  return new NovaSonicError(rule.kind, `Nova Sonic failed${where}: ${said} (${rule.advice})`, {
    retryable: rule.retryable,
    otherRegion: rule.otherRegion,
    cause: error,
    region,
  });
}

/** The stream ended without an error although we had not closed it: the SDK reports a dead connection that way. */
export const endedEarly = (region?: string): NovaSonicError =>
  new NovaSonicError(
    'connection',
    `Nova Sonic failed${region ? ` in ${region}` : ''}: the stream ended in the middle of the call (it is tried again)`,
    { retryable: true, otherRegion: true, region },
  );

/** A watchdog's verdict; `what` completes the sentence "the service sent …". */
export const noResponse = (what: string, ms: number, region?: string): NovaSonicError =>
  new NovaSonicError(
    'no_response',
    `Nova Sonic failed${region ? ` in ${region}` : ''}: ${what} within ${Math.round(ms / 100) / 10} s (it is tried again)`,
    { retryable: true, otherRegion: true, region },
  );
