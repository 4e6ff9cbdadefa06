// SPDX-License-Identifier: Apache-2.0
/**
 * What can go wrong with a Nova Sonic stream, and what to do about each.
 * Source of names and texts: Bedrock API reference of InvokeModelWithBidirectionalStream, and reports from the field.
 */

import { APIError } from '@livekit/agents';
import type { Lane } from '../lanes.js';
import { DEFAULT_STREAM_QUOTA } from './models.js';

/** What the documents say about a kind of failure. */
export interface ErrorKindDetails {
  /** What happened. */
  readonly meaning: string;
  /** What the plugin does by itself. */
  readonly retry: string;
  /** What the application or its operator does. */
  readonly action: string;
}

/** The kinds of failure, each handled in its own way. */
export const NOVA_SONIC_ERROR_KINDS = {
  throttled: {
    meaning: 'The account has too many streams or requests in the Region.',
    retry: 'The next Region at once; the same one with backoff.',
    action: 'Name more Regions in `region`, or accounts in `lanes`, or start fewer calls.',
  },
  access_denied: {
    meaning: 'No permission, or no access to the model in the Region.',
    retry: 'The next Region at once; this one is not tried again in the call.',
    action:
      'Allow `bedrock:InvokeModel` for the model and check its access in the Bedrock console.',
  },
  credentials: {
    meaning: 'AWS credentials were not found, are expired or are invalid.',
    retry: 'The next lane at once, if the failing one has credentials of its own; else none.',
    action: 'Provide valid credentials: standard variables, a role, or the `credentials` option.',
  },
  model_not_found: {
    meaning: 'The Region does not have the model.',
    retry: 'The next Region at once; this one is not tried again in the call.',
    action: 'Use a Region that has the model.',
  },
  invalid_request: {
    meaning: 'The service rejected what was sent.',
    retry: 'Once, when it happens in the middle of a call.',
    action: 'Check tools, instructions and options; report a bug if they are valid.',
  },
  content_filtered: {
    meaning: "The service's content filter stopped the conversation.",
    retry: 'Without the last exchange; three times in a row end the call.',
    action: 'Change the instructions if it happens often.',
  },
  history_too_long: {
    meaning: "The history that was sent exceeds the service's limit.",
    retry: 'With half of the history.',
    action: 'Lower `history.maxBytes`.',
  },
  idle: {
    meaning: 'The service closed a stream without input.',
    retry: 'A new stream at once.',
    action: 'None.',
  },
  model_timeout: {
    meaning: "The stream reached the service's limit of 8 minutes.",
    retry: 'A new stream at once.',
    action: 'Lower `renewAfterMs` if it happens often.',
  },
  service: {
    meaning: 'The service failed.',
    retry: 'With backoff, in the next Region first.',
    action: 'None; see the AWS Health Dashboard if it lasts.',
  },
  connection: {
    meaning: 'The connection broke or could not be opened.',
    retry: 'With backoff, in the next Region first.',
    action: 'Check network, proxy and endpoint if it lasts.',
  },
  no_response: {
    meaning: 'The service sent nothing for longer than `timeouts` allow.',
    retry: 'With backoff, in the next Region first; the question is repeated.',
    action: 'Raise `timeouts` if the service is slow.',
  },
  gave_up: {
    meaning:
      'The call could not be served within the limits of `retry`, or an error cannot be retried.',
    retry: 'None: `recoverable` is false and the call has ended.',
    action: 'See `cause` for the last failure; close the call or transfer it.',
  },
  unknown: {
    meaning: 'Any other failure.',
    retry: 'With backoff.',
    action: 'Report it with its message.',
  },
} as const satisfies Record<string, ErrorKindDetails>;

/** The kind of a failure; see `NOVA_SONIC_ERROR_KINDS`. */
export type NovaSonicErrorKind = keyof typeof NOVA_SONIC_ERROR_KINDS;

/**
 * A failure of the plugin, with what happened, where, and whether another attempt makes sense (`retryable`). One of
 * the framework's `APIError`s, so that code for any model handles it.
 */
export class NovaSonicError extends APIError {
  /** What happened, to be decided on by a program. */
  readonly kind: NovaSonicErrorKind;
  /** Another Region, or lane, may succeed at once. */
  readonly otherRegion: boolean;
  /** AWS Region of the stream, when there was one. */
  region?: string;

  constructor(
    kind: NovaSonicErrorKind,
    message: string,
    options: { retryable: boolean; otherRegion?: boolean; cause?: unknown; region?: string },
  ) {
    super(message, { retryable: options.retryable });
    if (options.cause !== undefined) this.cause = options.cause;
    this.name = 'NovaSonicError';
    this.kind = kind;
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
    advice: `the Region takes no more streams for now (Nova Sonic allows about ${DEFAULT_STREAM_QUOTA} per account and Region); name more Regions in \`region\`, or accounts in \`lanes\``,
  },
  accessDenied: {
    kind: 'access_denied',
    retryable: false,
    otherRegion: true,
    advice:
      'allow bedrock:InvokeModel for the model, and check that the account has access to it in this Region',
  },
  credentials: {
    kind: 'credentials',
    retryable: false,
    advice:
      'give valid AWS credentials by the standard variables, a role, or the `credentials` option',
  },
  role: {
    kind: 'credentials',
    retryable: false,
    otherRegion: true,
    advice:
      'let the role be assumed: sts:AssumeRole for the caller, and the caller in the trust policy of the role',
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
    advice: 'a new stream is opened; a lower `renewAfterMs` avoids this',
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

/** By the message, checked before the name: ValidationException covers many causes. */
const BY_TEXT: ReadonlyArray<readonly [RegExp, Rule]> = [
  [/sts:AssumeRole/i, RULES.role],
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

/** Turns whatever the SDK or the network threw into an error with advice. Never throws. */
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
  const original = `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}`;
  if (!rule) {
    return new NovaSonicError('unknown', `Nova Sonic failed${where}: ${original}`, {
      retryable: true,
      cause: error,
      region,
    });
  }
  return new NovaSonicError(rule.kind, `Nova Sonic failed${where}: ${original} (${rule.advice})`, {
    retryable: rule.retryable,
    otherRegion: rule.otherRegion,
    cause: error,
    region,
  });
}

/** The same for a stream in a lane: credentials of its own say nothing about those of other lanes. */
export function classifyInLane(thrown: unknown, { region, credentials }: Lane): NovaSonicError {
  const error = classifyError(thrown, region);
  if (error.kind !== 'credentials' || error.otherRegion || !credentials) return error;
  const { kind, message, cause } = error;
  return new NovaSonicError(kind, message, { retryable: false, otherRegion: true, cause, region });
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
