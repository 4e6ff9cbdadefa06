// SPDX-License-Identifier: Apache-2.0

import { ServerError } from 'livekit-server-sdk';
import { explainLiveKitError } from '../../../local/phone/livekit-errors.js';

const URL = 'wss://example.livekit.cloud';

describe('explainLiveKitError', () => {
  it.each([
    [new ServerError('Internal', 'sip not connected (redis required)', 500), 'runs without SIP'],
    [new ServerError('Unauthorized', 'invalid token: eyJ…', 401), 'does not accept the API key'],
    [new ServerError('Not Found', 'no handler for path', 404, 'bad_route'), 'has no SIP API'],
    [new ServerError('Bad Request', 'no such trunk', 400), 'refused that: no such trunk'],
    [
      new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }),
      'cannot be reached (ECONNREFUSED)',
    ],
    [new DOMException('timed out', 'TimeoutError'), 'does not answer'],
  ])('says for %s what to do', (error, sentence) => {
    const { message } = explainLiveKitError(error, URL);
    expect(message).toContain(`LiveKit at ${URL} ${sentence}`);
    expect(message).not.toContain('eyJ');
  });

  it('leaves other errors as they are', () => {
    const error = new Error('There is no inbound trunk yet.');
    expect(explainLiveKitError(error, URL)).toBe(error);
  });
});
