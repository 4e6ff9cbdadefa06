// SPDX-License-Identifier: Apache-2.0
// A call that is closed at any moment of its beginning leaves no stream open at the service.
import { expect, test } from '@jest/globals';
import { initializeLogger, llm } from '@livekit/agents';
import { RealtimeModel } from 'livekit-plugin-nova-sonic';
import { until } from '../../../support/wait.js';
import { CREDENTIALS } from '../support/agent-harness.js';
import { type OnStream, ScriptedServer, usage } from '../support/scripted-server.js';

initializeLogger({ pretty: false, level: 'silent' });

/** Plenty for a busy machine: at a service that never answers each close takes as long. */
const CLOSE_MS = 2_500;
const MOMENTS = Array.from({ length: 41 }, (_, i) => i * 50);

const answersAfter =
  (ms: number): OnStream =>
  (stream) => {
    stream.on('said', ({ name }) => {
      if (name === 'sessionStart') setTimeout(() => stream.send(usage(22)), ms);
      if (name === 'sessionEnd') setTimeout(() => stream.end(), ms);
    });
  };

async function callFor(ms: number, url: string): Promise<void> {
  const model = new RealtimeModel({
    endpoint: url,
    credentials: CREDENTIALS,
    region: 'us-east-1',
    timeouts: { close: CLOSE_MS, firstEvent: 900 },
  });
  const session = model.session();
  session.on('error', () => {});
  await session._updateSession('Be brief.', new llm.ChatContext(), new llm.ToolContext());
  await new Promise((resolve) => setTimeout(resolve, ms));
  await model.close();
}

test.each<[string, OnStream]>([
  ['answers after 1 s', answersAfter(1_000)],
  ['never answers', () => {}],
])('closed 0 to 2,000 ms after joining, at a service that %s', async (_, onStream) => {
  const server = await ScriptedServer.start(onStream);
  try {
    await Promise.all(MOMENTS.map((ms) => callFor(ms, server.url)));
    await until('no stream is open', () => server.open.length === 0);
    const begun = server.streams.filter(({ said }) => said.length > 0);
    expect(begun.length).toBeGreaterThan(0);
    for (const { names } of begun)
      expect(names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
  } finally {
    await server.close();
  }
});
