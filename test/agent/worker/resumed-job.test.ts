// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import type { RunningJobInfo } from '@livekit/agents';
import { AccessToken, TokenVerifier } from 'livekit-server-sdk';
import { RESUMED_JOB } from '../../../agent/src/job/resumed-call.js';
import { forResumption } from '../../../agent/src/worker/resumed-job.js';

const [apiKey, apiSecret] = ['key', 'a secret of at least thirty-two characters'];

/** The job of an agent that LiveKit let in at 0, with a token for ten minutes. */
async function info(): Promise<{ job: RunningJobInfo; expires: number }> {
  const token = new AccessToken(apiKey, apiSecret, {
    identity: 'agent-AJ_1',
    name: 'Ada',
    ttl: '10m',
    metadata: 'm',
    attributes: { 'lk.agent.name': 'x' },
  });
  token.addGrant({ room: 'r', roomJoin: true, agent: true, canPublish: true });
  token.kind = 'agent';
  const job = {
    job: { id: 'AJ_1' },
    token: await token.toJwt(),
    acceptArguments: { identity: 'agent-AJ_1', attributes: { theirs: '1' } },
    ...{ apiKey, apiSecret },
  } as unknown as RunningJobInfo;
  return { job, expires: Math.floor(Date.now() / 1000) + 600 };
}

test('a job is marked, and keeps its token while that is valid', async () => {
  const { job, expires } = await info();
  const resumed = await forResumption(job, expires - 120);
  expect(resumed.token).toBe(job.token);
  expect(resumed.acceptArguments.attributes).toEqual({ theirs: '1', [RESUMED_JOB]: 'true' });
  expect(job.acceptArguments.attributes).toEqual({ theirs: '1' });
});

test('a call longer than its token gets a new one, for the same agent with the same rights', async () => {
  const { job, expires } = await info();
  const { token } = await forResumption(job, expires - 30);
  expect(token).not.toBe(job.token);
  const verifier = new TokenVerifier(apiKey, apiSecret);
  const {
    exp: _,
    nbf: __,
    iat: ___,
    ...claims
  } = (await verifier.verify(token)) as {
    [claim: string]: unknown;
  };
  const { exp, nbf, iat, ...before } = (await verifier.verify(job.token)) as {
    [claim: string]: unknown;
  };
  expect(claims).toEqual(before);
  expect(claims).toMatchObject({ sub: 'agent-AJ_1', kind: 'agent', video: { agent: true } });
});
