// SPDX-License-Identifier: Apache-2.0
// A plain LiveKit agent with a tool. It does what the public example `inworld_realtime.ts` of livekit/agents-js
// does, call for call; the one thing that differs is the model. Run it against the emulator or real Bedrock:
//
//   npm run emulator -- --port 8800 &
//   AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:8800 AWS_ACCESS_KEY_ID=emulator \
//   AWS_SECRET_ACCESS_KEY=emulator-secret npx tsx examples/weather-agent.ts dev   # needs LIVEKIT_URL and keys
import { fileURLToPath } from 'node:url';
import {
  cli,
  defineAgent,
  type JobContext,
  llm,
  metrics,
  ServerOptions,
  voice,
} from '@livekit/agents';
import * as novaSonic from 'livekit-plugin-nova-sonic';
import { z } from 'zod';

const getWeather = llm.tool({
  name: 'getWeather',
  description: 'The weather at a place, for callers who ask about it.',
  parameters: z.object({ location: z.string().describe('City or region') }),
  execute: async ({ location }) => `It is 21 degrees and clear in ${location}.`,
});

/** Greets, and knows the weather. */
export class WeatherAgent extends voice.Agent {
  constructor() {
    super({
      instructions: 'You tell callers the weather. One short sentence at a time.',
      tools: [getWeather],
    });
  }

  override async onEnter(): Promise<void> {
    const chatCtx = this.chatCtx.copy();
    chatCtx.addMessage({ role: 'assistant', content: 'I know the weather everywhere.' });
    await this.updateChatCtx(chatCtx);
    this.session.generateReply({ instructions: 'Welcome the caller and offer the weather.' });
  }
}

/** The session of a call; `options` go to the model. */
export const makeSession = (options: novaSonic.RealtimeModelOptions = {}) =>
  new voice.AgentSession({
    llm: new novaSonic.realtime.RealtimeModel({ voice: 'amy', ...options }),
  });

export default defineAgent({
  entry: async (ctx: JobContext) => {
    const session = makeSession();
    session.on(voice.AgentSessionEventTypes.MetricsCollected, (event) => {
      metrics.logMetrics(event.metrics);
    });
    session.on(voice.AgentSessionEventTypes.Error, () => {});
    await session.start({ agent: new WeatherAgent(), room: ctx.room });
  },
});

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  cli.runApp(new ServerOptions({ agent: fileURLToPath(import.meta.url) }));
}
