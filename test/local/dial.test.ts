// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createProgram, dial } from '../../local/dial.js';
import { SipServiceStandIn } from '../support/sip-service.js';

let service: SipServiceStandIn;
let printed: string;
const flags = { trunk: 'ST_1', ringing: 20 };
const env = () => ({
  LIVEKIT_URL: service.url,
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'a secret of some length....',
  LIVEKIT_AGENT_NAME: 'clerk',
});

beforeEach(async () => {
  service = await SipServiceStandIn.start();
  printed = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await service.stop();
});

describe('npm run dial', () => {
  it('dials with the agent of the environment, and says that it was answered', async () => {
    service.answers.set('CreateSIPParticipant', { body: { sip_call_id: 'SCL_1' } });
    expect(await dial('+15551234567', { ...flags, metadata: 'order 7', digits: '1#' }, env())).toBe(
      0,
    );
    expect(printed).toMatch(/answered.*room call-\S+, SIP call SCL_1\n/);
    expect(service.request('CreateDispatch')).toMatchObject({
      agentName: 'clerk',
      metadata: 'order 7',
    });
    expect(service.request('CreateSIPParticipant')).toMatchObject({
      sipTrunkId: 'ST_1',
      sipCallTo: '+15551234567',
      dtmf: '1#',
      ringingTimeout: '20s',
    });
  });

  it('says why a phone was not answered', async () => {
    service.answers.set('CreateSIPParticipant', {
      code: 'unavailable',
      httpStatus: 503,
      sipStatus: 486,
    });
    expect(await dial('+15551234567', flags, env())).toBe(1);
    expect(printed).toContain('The line is busy. (busy, SIP 486)');
  });

  it('says that LiveKit does not take the key', async () => {
    service.answers.set('CreateRoom', { code: 'unauthenticated', httpStatus: 401 });
    await expect(dial('+15551234567', flags, env())).rejects.toThrow(/does not accept the API key/);
  });

  it('refuses metadata that would reach nobody', async () => {
    const nameless = { ...env(), LIVEKIT_AGENT_NAME: '' };
    await expect(dial('+15551234567', { ...flags, metadata: 'x' }, nameless)).rejects.toThrow(
      /give --agent-name/,
    );
    expect(service.requests).toEqual([]);
  });

  it.each([
    [['15551234567', '--trunk', 'ST_1'], /not a telephone number in E.164 form/],
    [['+15551234567'], /required option '--trunk <id>'/],
    [['+15551234567', '--trunk', 'sales'], /Give the id of the trunk, like ST_/],
    [['+15551234567', '--trunk', 'ST_1', '--ringing', '0'], /whole seconds from 1 to 180/],
    [['+15551234567', '--trunk', 'ST_1', '--digits', 'one'], /Keys are 0 to 9/],
  ])('refuses %j', (args, sentence) => {
    const program = createProgram()
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    expect(() => program.parse(args, { from: 'user' })).toThrow(sentence);
  });
});
