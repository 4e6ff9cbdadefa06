// SPDX-License-Identifier: Apache-2.0
// One call with everything that LiveKit's workflows do to a session, and the service 40 ms away.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { initializeLogger, llm, voice, workflows } from '@livekit/agents';
import { type Rig, startRig } from '../support/agent-harness.js';
import { ScriptedServer, type ScriptedStream, welcome } from '../support/scripted-server.js';
import * as serverEvents from '../support/server-events.js';
import { toolRunning } from '../support/tool-calls.js';

initializeLogger({ pretty: false, level: process.env.TEST_LOG ?? 'silent' });

const DESKS = 5;

/** Asks something and completes with what the caller says. */
class Ask extends voice.AgentTask<string> {
  constructor(readonly question: string) {
    super({
      instructions: 'Ask.',
      tools: {
        answered: toolRunning(async () => {
          this.complete(`yes to ${this.question}`);
          return 'noted';
        }),
      },
    });
  }
  override async onEnter(): Promise<void> {
    this.session.generateReply({ instructions: this.question });
  }
}

const reception = () =>
  new voice.Agent({
    instructions: 'You are reception.',
    tools: {
      ask_consent: toolRunning(async () => new Ask('May we record?').run()),
      check_in: toolRunning(async () => {
        const group = new workflows.TaskGroup({ summarizeChatCtx: false });
        for (const what of ['name', 'date'])
          group.add(() => new Ask(`What is your ${what}?`), { id: what, description: what });
        return ((await group.run()) as { taskResults: unknown }).taskResults;
      }),
      onward: handoffTo(1),
    },
  });

class Desk extends voice.Agent {
  constructor(
    readonly number: number,
    chatCtx?: llm.ChatContext,
  ) {
    super({
      instructions: `You are desk ${number}.`,
      chatCtx,
      tools: number < DESKS ? { onward: handoffTo(number + 1) } : {},
    });
  }
  override async onEnter(): Promise<void> {
    this.session.generateReply({ instructions: `Greet as desk ${this.number}.` });
  }
}
const handoffTo = (number: number) =>
  llm.tool({
    description: 'Hands the call on',
    execute: async (_, { ctx }) =>
      llm.handoff({ agent: new Desk(number, ctx.session.history), returns: `To desk ${number}.` }),
  });

let server: ScriptedServer;
let rig: Rig;

beforeAll(async () => {
  server = await ScriptedServer.start(welcome, { delayMs: 40, jitterMs: 13 });
  rig = await startRig(server.url, { agent: reception(), speed: 50 });
});
afterAll(async () => {
  await rig.close();
  await server.close();
});

test('an AgentTask, a TaskGroup and five handoffs in one call: every result is answered, each line is there once', async () => {
  const expected: string[] = [];
  let uses = 0;
  /** The model is told something and says a line. */
  const says = async (words: RegExp, line: string): Promise<ScriptedStream> => {
    const stream = await server.told(words);
    stream.send(...serverEvents.reply(line, 80));
    await rig.item('assistant', line);
    expected.push(`assistant: ${line}`);
    return stream;
  };
  /** The caller says a line, for which the model calls a tool. */
  const calls = async (stream: ScriptedStream, line: string, tool: string): Promise<void> => {
    uses += 1;
    stream.send(...serverEvents.userText(line), ...serverEvents.toolUse(tool, {}, `use-${uses}`));
    await rig.item('user', line);
    expected.push(`user: ${line}`);
  };

  await calls(await server.stream(0), 'Record me.', 'ask_consent');
  await calls(await says(/May we record/, 'Do you agree?'), 'I do.', 'answered');
  let stream = await says(/ask_consent .*returned .*yes to May we record/s, 'Thank you.');
  await calls(stream, 'I am here.', 'check_in');
  await calls(await says(/What is your name/, 'Who are you?'), 'Ada.', 'answered');
  await calls(await says(/What is your date/, 'When?'), 'Today.', 'answered');
  stream = await says(
    /check_in .*returned .*yes to What is your name.*yes to What is your date/s,
    'You are in.',
  );
  for (let desk = 1; desk <= DESKS; desk += 1) {
    await calls(stream, `On to ${desk}.`, 'onward');
    stream = await says(new RegExp(`Greet as desk ${desk}`), `Desk ${desk} here.`);
  }
  stream.send(...serverEvents.userText('Goodbye.'), ...serverEvents.reply('Goodbye to you.', 80));
  await rig.item('assistant', 'Goodbye to you.');
  expected.push('user: Goodbye.', 'assistant: Goodbye to you.');

  const { items } = rig.session.history;
  const lines = items.flatMap((item) =>
    item.type === 'message' ? [`${item.role}: ${item.textContent}`] : [],
  );
  expect(lines).toEqual(expected);
  // The model of the last desk was told of all of it, each line once.
  const known = stream.texts
    .filter(({ interactive, role }) => !interactive && role !== 'SYSTEM')
    .flatMap(({ text }) => text.split('\n'));
  for (const line of expected.slice(0, -3)) {
    const [, words] = line.split(': ');
    expect([line, known.filter((text) => text.includes(words as string)).length]).toEqual([
      line,
      1,
    ]);
  }
  const called = items.filter((item) => item.type === 'function_call').map(({ callId }) => callId);
  const returned = items.filter((item) => item.type === 'function_call_output');
  expect(returned.map(({ callId }) => callId).sort()).toEqual([...called].sort());
  expect(server.open).toHaveLength(1);
  expect(rig.errors).toEqual([]);
});
