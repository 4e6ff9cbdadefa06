// SPDX-License-Identifier: Apache-2.0

// `npm run phone` with a real LiveKit server and a real Redis. LiveKit's SIP service is not needed to keep trunks.

import { SipClient } from 'livekit-server-sdk';
import { type LiveKitServer, startLiveKitServer } from '../../local/livekit/server.js';
import type { Change } from '../../local/phone/change.js';
import { PhoneSetup } from '../../local/phone/phone-setup.js';
import { findRedis, startRedis } from '../support/redis.js';
import { Command } from './support.js';

const NUMBER = '+15551234567';
const redisServer = findRedis();

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

  afterAll(async () => {
    await livekit?.stop();
    await redis?.stop();
  });

  const environment = ({ url, apiKey, apiSecret }: LiveKitServer = livekit) => ({
    LIVEKIT_URL: url,
    LIVEKIT_API_KEY: apiKey,
    LIVEKIT_API_SECRET: apiSecret,
    LIVEKIT_AGENT_NAME: 'sonic',
  });

  async function phone(...args: string[]): Promise<string> {
    const command = new Command('phone', args, environment());
    await command.succeeds();
    return command.stdout;
  }

  const everything = async () => ({
    inbound: await api.listSipInboundTrunk(),
    outbound: await api.listSipOutboundTrunk(),
    rules: await api.listSipDispatchRule(),
  });

  /** Sets up in this process, which is faster than a command. */
  function setup(name: string, agentName = name) {
    const changes: Change[] = [];
    const onChange = (change: Change) => changes.push(change);
    const options = { name, agentName, dryRun: false, onChange };
    const actions = () => changes.splice(0).map(({ action, kind }) => `${action} ${kind}`);
    return { setup: new PhoneSetup(api, options), changes, actions };
  }

  it('creates, changes nothing the second time, changes, and removes, each said', async () => {
    const planned = await phone('inbound', '--number', NUMBER, '--dry-run');
    expect(planned).toContain('would create inbound trunk "sonic inbound"');
    expect(planned).toContain('would create dispatch rule "sonic dispatch"');
    expect(await everything()).toEqual({ inbound: [], outbound: [], rules: [] });

    const created = await phone('inbound', '--number', NUMBER);
    const { inbound, rules } = await everything();
    expect(inbound).toMatchObject([{ name: 'sonic inbound', numbers: [NUMBER] }]);
    expect(rules).toMatchObject([
      {
        trunkIds: [inbound[0]?.sipTrunkId],
        rule: { rule: { case: 'dispatchRuleIndividual', value: { roomPrefix: 'call-' } } },
        roomConfig: { agents: [{ agentName: 'sonic' }] },
      },
    ]);
    expect(created).toContain(`created inbound trunk "sonic inbound" (${inbound[0]?.sipTrunkId})`);
    expect(created).toContain(rules[0]?.sipDispatchRuleId);

    const again = await phone('inbound', '--number', NUMBER);
    expect(again.match(/^\w+/gm)).toEqual(['unchanged', 'unchanged']);
    expect(await everything()).toMatchObject({ inbound, rules });

    const changed = await phone('inbound', '--number', NUMBER, '+15557654321');
    expect(changed).toContain(`${NUMBER} -> ${NUMBER}, +15557654321`);
    expect((await everything()).inbound).toMatchObject([
      { sipTrunkId: inbound[0]?.sipTrunkId, numbers: [NUMBER, '+15557654321'] },
    ]);

    expect(await phone()).toMatch(/agent: +sonic/);
    expect(await phone('remove')).toMatch(/removed dispatch rule[\s\S]*removed inbound trunk/);
    expect(await everything()).toEqual({ inbound: [], outbound: [], rules: [] });
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
      { address: 'sip.telnyx.com', transport: 3, numbers: [NUMBER], authPassword: 'secret' },
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
      { ...allowed, authUsername: 'user', authPassword: 'secret', media: { encryption: 1 } },
    ]);
    changes.length = 0;
    await own.setInbound({ allowedAddresses: [], allowedNumbers: [], username: '' });
    expect(changes[0]?.fields).toEqual({
      'provider addresses': '203.0.113.0/24 -> any',
      callers: '+15550001111 -> any',
      'user name': 'user -> none',
      password: 'set -> none',
    });
    expect((await everything()).inbound).toMatchObject([
      { allowedAddresses: [], allowedNumbers: [], authUsername: '', authPassword: '' },
    ]);
    await own.remove('all');
  });

  it('dispatches the agent by its new name only, when it has been renamed', async () => {
    await setup('line', 'before').setup.setInbound({ numbers: [NUMBER] });
    const { setup: renamed, actions } = setup('line', 'after');
    await renamed.setInbound({ hidePhoneNumber: true });
    expect(actions()).toEqual(['keep inbound trunk', 'change dispatch rule']);
    expect((await everything()).rules).toMatchObject([
      { hidePhoneNumber: true, roomConfig: { agents: [{ agentName: 'after' }] } },
    ]);
    await renamed.remove('all');
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
    await other.remove('all');
  });

  it('says in one sentence that a LiveKit server has no SIP, and that the key is wrong', async () => {
    const withoutRedis = await startLiveKitServer();
    const commands = [
      new Command('phone', [], environment(withoutRedis)),
      new Command('phone', [], { ...environment(), LIVEKIT_API_SECRET: 'wrong' }),
    ];
    const codes = await Promise.all(commands.map(({ exited }) => exited));
    expect(codes).toEqual([2, 2]);
    expect(commands[0]?.stderr).toMatch(/^LiveKit at \S+ runs without SIP: .*\n$/);
    expect(commands[1]?.stderr).toMatch(/^LiveKit at \S+ does not accept the API key: .*\n$/);
    await withoutRedis.stop();
  });
});
