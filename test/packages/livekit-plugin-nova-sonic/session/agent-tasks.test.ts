// SPDX-License-Identifier: Apache-2.0
// Workflows of the framework: it opens a session for each agent, and hands a tool's result to the one that called it.
import { expect, test } from '@jest/globals';
import { llm, voice, workflows } from '@livekit/agents';
import { rig, server, startAgent } from '../support/scripted-call.js';
import type { ScriptedStream } from '../support/scripted-server.js';
import * as serverEvents from '../support/server-events.js';
import { toolRunning } from '../support/tool-calls.js';

const asked = (stream: ScriptedStream, words: RegExp) =>
  stream.received((e) => e.name === 'textInput' && words.test(String(e.body.content)));

class Consent extends voice.AgentTask<string> {
  constructor(readonly question: string) {
    super({
      instructions: 'Ask for consent.',
      tools: {
        consent_given: toolRunning(async () => {
          this.complete('yes');
          return 'ok';
        }),
      },
    });
  }
  override async onEnter(): Promise<void> {
    this.session.generateReply({ instructions: this.question });
  }
}

/** The task on its own stream: it asks, the caller says yes. */
async function consent(stream: ScriptedStream, question: string, use: string): Promise<void> {
  await asked(stream, new RegExp(question));
  stream.send(...serverEvents.reply(question, 80));
  await rig.item('assistant', question);
  stream.send(...serverEvents.userText('Yes.'), ...serverEvents.toolUse('consent_given', {}, use));
}

test('the result of a tool that awaits an AgentTask reaches the model, and it goes on', async () => {
  const tools = {
    ask_consent: toolRunning(async () => ({ consent: await new Consent('May we record?').run() })),
  };
  await startAgent({ agent: new voice.Agent({ instructions: 'You are reception.', tools }) });
  const first = await server.stream(0);
  first.send(
    ...serverEvents.userText('Go on.'),
    ...serverEvents.toolUse('ask_consent', {}, 'use-1'),
  );
  await consent(await server.stream(1), 'May we record?', 'use-2');
  const third = await server.stream(2);
  const { body } = await asked(third, /returned \{"consent":"yes"\}/);
  const note = third.texts.find(({ text }) => text === body.content);
  expect(note).toMatchObject({ role: 'USER', interactive: true });
  third.send(...serverEvents.reply('Thank you for the consent.', 80));
  await rig.item('assistant', 'Thank you for the consent');
  // The call of the task was the task's business.
  expect(third.texts.filter(({ text }) => text.includes('consent_given'))).toEqual([]);
  const lines = rig.session.history.items.flatMap((item) =>
    item.type === 'message' ? [item.textContent] : [],
  );
  expect(new Set(lines).size).toBe(lines.length);
  expect(rig.errors).toEqual([]);
});

test('a TaskGroup: each task is asked, and the result of all reaches the model', async () => {
  const tools = {
    check_in: toolRunning(async () => {
      const group = new workflows.TaskGroup({ summarizeChatCtx: false });
      group.add(() => new Consent('May we record?'), { id: 'record', description: 'recording' });
      group.add(() => new Consent('May we call back?'), {
        id: 'call',
        description: 'calling back',
      });
      const { taskResults } = (await group.run()) as { taskResults: Record<string, string> };
      return taskResults;
    }),
  };
  await startAgent({ agent: new voice.Agent({ instructions: 'You are reception.', tools }) });
  const first = await server.stream(0);
  first.send(...serverEvents.userText('Go on.'), ...serverEvents.toolUse('check_in', {}, 'use-1'));
  const find = async (words: RegExp): Promise<ScriptedStream> => {
    for (let index = 1; ; index += 1) {
      const stream = await server.stream(index);
      const found = await Promise.race([
        asked(stream, words).then(
          () => true,
          () => false,
        ),
        server.stream(index + 1).then(() => false),
      ]);
      if (found) return stream;
    }
  };
  await consent(await find(/May we record/), 'May we record?', 'use-2');
  await consent(await find(/May we call back/), 'May we call back?', 'use-3');
  const last = await find(/check_in was called with \{\} and returned/);
  last.send(...serverEvents.reply('All set.', 80));
  await rig.item('assistant', 'All set');
  expect(rig.errors).toEqual([]);
});

test('a chain of five handoffs inside one call: each agent greets and answers, and each line is there once', async () => {
  const agents: voice.Agent[] = Array.from({ length: 6 }, (_, i) => {
    class Desk extends voice.Agent {
      override async onEnter(): Promise<void> {
        if (i > 0) this.session.generateReply({ instructions: `Greet as desk ${i}.` });
      }
    }
    return new Desk({
      instructions: `You are desk ${i}.`,
      tools: {
        onward: toolRunning(async () =>
          llm.handoff({ agent: agents[i + 1] as voice.Agent, returns: 'Transferring.' }),
        ),
      },
    });
  });
  await startAgent({ agent: agents[0] });
  for (let i = 0; i < 6; i += 1) {
    const stream = await server.stream(i);
    if (i > 0) {
      await asked(stream, new RegExp(`Greet as desk ${i}`));
      stream.send(...serverEvents.reply(`Desk ${i} here.`, 80));
      await rig.item('assistant', `Desk ${i} here`);
    }
    stream.send(...serverEvents.userText(`Question ${i}?`));
    if (i < 5) stream.send(...serverEvents.toolUse('onward', {}, `use-${i}`));
    else stream.send(...serverEvents.reply('Answered.', 80));
  }
  await rig.item('assistant', 'Answered');
  const lines = rig.session.history.items.flatMap((item) =>
    item.type === 'message' ? [item.textContent] : [],
  );
  expect(lines).toEqual([
    'Question 0?',
    ...[1, 2, 3, 4, 5].flatMap((i) => [`Desk ${i} here.`, `Question ${i}?`]),
    'Answered.',
  ]);
  expect(rig.errors).toEqual([]);
});
