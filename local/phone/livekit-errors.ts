// SPDX-License-Identifier: Apache-2.0

import { ServerError } from 'livekit-server-sdk';

/** Turns what LiveKit's API answers into one sentence that says what to do. Other errors stay as they are. */
export function explainLiveKitError(error: unknown, url: string): Error {
  if (error instanceof ServerError) {
    const { status, code, message } = error;
    if (status === 401 || status === 403 || code === 'unauthenticated')
      return new Error(
        `LiveKit at ${url} does not accept the API key: check LIVEKIT_API_KEY and LIVEKIT_API_SECRET.`,
      );
    // "sip not connected (redis required)" of an open-source server, "no response from servers" behind Redis.
    if (/sip not connected|redis required/i.test(message))
      return new Error(
        `LiveKit at ${url} runs without SIP: give it Redis and run LiveKit's SIP service, as docs/telephone.md says, or use LiveKit Cloud.`,
      );
    if (status === 404 || code === 'bad_route' || code === 'unimplemented')
      return new Error(`LiveKit at ${url} has no SIP API: check LIVEKIT_URL, or update LiveKit.`);
    return new Error(`LiveKit at ${url} refused that: ${message}.`);
  }
  const cause = (error as { cause?: { code?: string } }).cause?.code;
  if (error instanceof TypeError || cause)
    return new Error(
      `LiveKit at ${url} cannot be reached (${cause ?? (error as Error).message}): check LIVEKIT_URL and the network.`,
    );
  if ((error as Error).name === 'TimeoutError')
    return new Error(`LiveKit at ${url} does not answer: check LIVEKIT_URL and the network.`);
  return error as Error;
}
