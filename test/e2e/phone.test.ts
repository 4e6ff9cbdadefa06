// SPDX-License-Identifier: Apache-2.0

// `npm run phone` with a real LiveKit server and a real Redis. LiveKit's SIP service is not needed to keep trunks.

import { jest } from '@jest/globals';
import { SipClient } from 'livekit-server-sdk';
import { type LiveKitServer, startLiveKitServer } from '../../local/livekit/server.js';
import type { Change } from '../../local/phone/change.js';
import { explainLiveKitError } from '../../local/phone/livekit-errors.js';
import { PhoneSetup } from '../../local/phone/phone-setup.js';
import { findRedis, startRedis } from '../support/redis.js';
import { Command } from './support.js';

jest.setTimeout(120_000);

const NUMBER = '+15551234567';
const PASSWORD = 'very-secret';
const redisServer = findRedis();

/** A protobuf message as the API has it. */
const json = (message: { toJson(): unknown }) => message.toJson() as Record<string, string>;

(redisServer ? describe : describe.skip)('npm run phone', () => {
  let redis: { address: string; stop(): Promise<void> };
  let livekit: LiveKitServer;
  let api: SipClient;

  beforeAll(async () => {
    redis = await startRedis(redisServer ?? '');
    livekit = await startLiveKitServer({ redis: redis.address });
    const { url, apiKey, apiSecret } = livekit;
    api = new SipClient(url.replace('ws:', 'http:'), apiKey, apiSecret);
  });

  afterEach(async () => {
    const { inbound, outbound, rules } = await everything();
    for (const { sipDispatchRuleId } of rules)
      await api.deleteSipDispatchRule(`${sipDispatchRuleId}`);
    for (const { sipTrunkId } of [...inbound, ...outbound])
      await api.deleteSipTrunk(`${sipTrunkId}`);
  });

  afterAll(async () => {
    await livekit?.stop();
    await redis?.stop();
  });

  async function phone(...args: string[]): Promise<string> {
    const withPassword = args.includes('--username') && { SIP_PASSWORD: PASSWORD };
    const command = new Command('phone', args, {
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      LIVEKIT_AGENT_NAME: 'sonic',
      ...withPassword,
    });
    await command.succeeds();
    return command.stdout;
  }

  /** As JSON, in which what is empty is left out. */
  const everything = async () => ({
    inbound: (await api.listSipInboundTrunk()).map(json),
    outbound: (await api.listSipOutboundTrunk()).map(json),
    rules: (await api.listSipDispatchRule()).map(json),
  });

  /** Sets up in this process, which is faster than a command. */
  function setup(name: string, agentName = name, dryRun = false) {
    const changes: Change[] = [];
    const onChange = (change: Change) => changes.push(change);
    const options = { name, agentName, dryRun, onChange };
    const actions = () => changes.splice(0).map(({ action, kind }) => `${action} ${kind}`);
    return { setup: new PhoneSetup(api, options), changes, actions };
  }

  it('creates, changes nothing the second time, changes, and removes, each said', async () => {
    const created = await phone('inbound', '--number', NUMBER);
    const { inbound, rules } = await everything();
    expect(inbound).toMatchObject([{ name: 'sonic inbound', numbers: [NUMBER] }]);
    expect(rules).toMatchObject([
      {
        trunkIds: [inbound[0]?.sipTrunkId],
        rule: { dispatchRuleIndividual: { roomPrefix: 'call-' } },
        roomConfig: { agents: [{ agentName: 'sonic' }] },
      },
    ]);
    expect(created).toContain(`created inbound trunk "sonic inbound" (${inbound[0]?.sipTrunkId})`);
    expect(created).toContain(rules[0]?.sipDispatchRuleId);

    const again = await phone('inbound', '--number', NUMBER);
    expect(again.match(/^\w+/gm)).toEqual(['unchanged', 'unchanged']);
    expect(await everything()).toMatchObject({ inbound, rules });

    const changed = await phone(
      ...['inbound', '--number', NUMBER, '+15557654321', '--from', '203.0.113.0/24'],
      ...['--caller', 'any', '--username', 'user', '--hide-number'],
    );
    expect(changed).toContain(`${NUMBER} -> ${NUMBER}, +15557654321`);
    expect(changed).not.toContain(PASSWORD);
    expect(await everything()).toMatchObject({
      inbound: [
        {
          sipTrunkId: inbound[0]?.sipTrunkId,
          numbers: [NUMBER, '+15557654321'],
          allowedAddresses: ['203.0.113.0/24'],
          authUsername: 'user',
          authPassword: PASSWORD,
        },
      ],
      rules: [{ sipDispatchRuleId: rules[0]?.sipDispatchRuleId, hidePhoneNumber: true }],
    });

    await phone(
      ...['outbound', '--number', NUMBER, '--address', 'sip.telnyx.com', '--username', 'user'],
      ...['--transport', 'tls', '--encryption', 'require'],
    );
    expect((await everything()).outbound).toMatchObject([
      {
        ...{ name: 'sonic outbound', address: 'sip.telnyx.com', transport: 'SIP_TRANSPORT_TLS' },
        ...{ authPassword: PASSWORD, mediaEncryption: 'SIP_MEDIA_ENCRYPT_REQUIRE' },
      },
    ]);

    expect(await phone('remove')).toMatch(
      /removed dispatch rule[\s\S]*removed inbound trunk[\s\S]*removed outbound trunk/,
    );
    expect(await everything()).toEqual({ inbound: [], outbound: [], rules: [] });
  });

  it('changes nothing in a dry run, and says what it would do', async () => {
    const { setup: planned, actions } = setup('planned', 'planned', true);
    await planned.setInbound({ numbers: [NUMBER] });
    await planned.setOutbound({ numbers: [NUMBER], address: 'sip.telnyx.com' });
    expect(actions()).toEqual([
      'create inbound trunk',
      'create dispatch rule',
      'create outbound trunk',
    ]);
    expect(await everything()).toEqual({ inbound: [], outbound: [], rules: [] });

    await setup('planned').setup.setInbound({ numbers: [NUMBER] });
    const before = await everything();
    await planned.setInbound({ numbers: ['+15557654321'] });
    await planned.remove('all');
    expect(actions()).toEqual([
      'change inbound trunk',
      'keep dispatch rule',
      'remove dispatch rule',
      'remove inbound trunk',
    ]);
    expect(await everything()).toEqual(before);
  });

  it('creates and changes an outbound trunk, value by value', async () => {
    const { setup: own, actions, changes } = setup('out');
    const login = { username: 'user', password: 'secret' };
    await own.setOutbound({ numbers: [NUMBER], address: 'example.pstn.twilio.com', ...login });
    expect((await everything()).outbound).toMatchObject([
      { address: 'example.pstn.twilio.com', authUsername: 'user', authPassword: 'secret' },
    ]);
    await own.setOutbound({ address: 'sip.telnyx.com', transport: 'tls', encryption: 'require' });
    expect((await everything()).outbound).toMatchObject([
      {
        address: 'sip.telnyx.com',
        transport: 'SIP_TRANSPORT_TLS',
        numbers: [NUMBER],
        authPassword: 'secret',
      },
    ]);
    await own.setOutbound({ encryption: 'disable', password: 'another' });
    expect(changes.at(-1)?.fields).toEqual({
      password: 'set -> another one',
      encryption: 'require -> disable',
    });
    await own.setOutbound({ encryption: 'disable', password: 'another', transport: 'tls' });
    await own.remove('outbound');
    expect(actions()).toEqual(
      ['create', 'change', 'change', 'keep', 'remove'].map((action) => `${action} outbound trunk`),
    );
    expect((await everything()).outbound).toEqual([]);
  });

  it('restricts an inbound trunk and frees it again', async () => {
    const { setup: own, changes } = setup('restricted');
    const login = { username: 'user', password: 'secret' };
    const allowed = { allowedAddresses: ['203.0.113.0/24'], allowedNumbers: ['+15550001111'] };
    await own.setInbound({ numbers: [NUMBER], ...allowed, ...login, encryption: 'allow' });
    expect((await everything()).inbound).toMatchObject([
      {
        ...allowed,
        authUsername: 'user',
        authPassword: 'secret',
        mediaEncryption: 'SIP_MEDIA_ENCRYPT_ALLOW',
      },
    ]);
    changes.length = 0;
    await own.setInbound({ allowedAddresses: [], allowedNumbers: [], username: '' });
    expect(changes[0]?.fields).toEqual({
      'provider addresses': '203.0.113.0/24 -> any',
      callers: '+15550001111 -> any',
      'user name': 'user -> none',
      password: 'set -> none',
    });
    const [freed] = (await everything()).inbound;
    for (const name of ['allowedAddresses', 'allowedNumbers', 'authUsername', 'authPassword'])
      expect(freed).not.toHaveProperty(name);
  });

  it('dispatches the agent by its new name only, when it has been renamed', async () => {
    await setup('line', 'before').setup.setInbound({ numbers: [NUMBER] });
    const { setup: renamed, actions } = setup('line', 'after');
    await renamed.setInbound({ hidePhoneNumber: true });
    expect(actions()).toEqual(['keep inbound trunk', 'change dispatch rule']);
    expect((await everything()).rules).toMatchObject([
      { hidePhoneNumber: true, roomConfig: { agents: [{ agentName: 'after' }] } },
    ]);
  });

  it('leaves what belongs to others alone, and says who has a number', async () => {
    const { setup: other } = setup('other');
    await other.setInbound({ numbers: [NUMBER] });
    const before = await everything();
    const { setup: own, actions } = setup('own');
    await expect(own.setInbound({ numbers: [NUMBER] })).rejects.toThrow(
      `The inbound trunk "other inbound" (${before.inbound[0]?.sipTrunkId}) has ${NUMBER} already`,
    );
    expect(await own.remove('all')).toBe(false);
    expect(actions()).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  it('says in one sentence that a LiveKit server has no SIP, and that the key is wrong', async () => {
    const withoutRedis = await startLiveKitServer();
    const answer = ({ url, apiKey }: LiveKitServer, apiSecret: string) =>
      new SipClient(url.replace('ws:', 'http:'), apiKey, apiSecret)
        .listSipInboundTrunk()
        .catch((error) => explainLiveKitError(error, url).message);
    expect(await answer(withoutRedis, withoutRedis.apiSecret)).toMatch(/runs without SIP: .*\.$/);
    expect(await answer(livekit, 'wrong')).toMatch(/does not accept the API key: .*\.$/);
    await withoutRedis.stop();
  });
});
