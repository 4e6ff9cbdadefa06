// SPDX-License-Identifier: Apache-2.0

// A process that carries several calls; the worker starts it as `call-host.js AGENT_FILE`.

import { pathToFileURL } from 'node:url';
import { type AgentDefinition, initializeLogger, isAgent, JobProcess, log } from '@livekit/agents';
import { dispose } from '@livekit/rtc-node';
import { collectGarbageSoon } from '../collect-garbage.js';
import { SupervisorClient } from '../supervision/supervisor-client.js';
import { currentCall, installCallLogging } from './call-context.js';
import type { HostCommand, HostReport } from './host-messages.js';
import { HostedCall } from './hosted-call.js';
import { LoopWatchdog } from './loop-watchdog.js';
import { memoryByCall } from './memory-by-call.js';

const calls = new Map<string, HostedCall>();
let leaving = false;

function report(message: HostReport): void {
  if (process.connected) process.send?.(message);
}

async function loadAgent(file: string): Promise<AgentDefinition> {
  const { default: agent } = (await import(pathToFileURL(file).href)) as { default: unknown };
  if (isAgent(agent)) return agent;
  throw new Error(`${file} has no agent as its default export.`);
}

function start(agent: AgentDefinition, jobProcess: JobProcess, command: HostCommand): void {
  switch (command.type) {
    case 'start': {
      const call = new HostedCall(agent, jobProcess, command.job);
      calls.set(call.id, call);
      void call.run().then(() => {
        calls.delete(call.id);
        memoryByCall.ended(call.id);
        // Before the worker gives the slot to the next call.
        SupervisorClient.ofProcess().callClosed(call.id);
        report({ type: 'closed', callId: call.id });
        void exitIfDone();
      });
      return;
    }
    case 'close':
      SupervisorClient.ofProcess().withdraw(command.callId);
      calls.get(command.callId)?.close(command.reason);
      return;
    case 'exit':
      leaving = true;
      void exitIfDone();
  }
}

async function exitIfDone(): Promise<void> {
  if (!leaving || calls.size > 0) return;
  // Without this the native threads may abort the process while it exits (livekit/node-sdks#564).
  await dispose().catch((error) => log().warn({ error }, 'native clean-up failed'));
  process.exit(0);
}

/** An error that nobody caught ends the call whose code threw it, and no other. */
function uncaught(error: unknown): void {
  const call = currentCall();
  if (call) {
    log().error({ error, tool: call.tool }, 'uncaught exception in a call, ending it');
    calls.get(call.callId)?.close('uncaught exception');
    return;
  }
  log().error({ error }, 'uncaught exception outside of calls: this process takes no more calls');
  report({ type: 'unsound', reason: 'uncaught exception' });
}

async function main(): Promise<void> {
  const [, , file = '', level = 'info'] = process.argv;
  initializeLogger({ pretty: false, level });
  installCallLogging();
  // The worker drains; a signal to the group must not end the calls.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  process.on('uncaughtException', uncaught);
  process.on('unhandledRejection', (error) =>
    log().error({ error, tool: currentCall()?.tool }, 'unhandled rejection'),
  );
  process.on('disconnect', () => {
    for (const call of calls.values()) call.close('worker lost');
    leaving = true;
    void exitIfDone();
  });
  const agent = await loadAgent(file);
  const jobProcess = new JobProcess();
  await agent.prewarm?.(jobProcess);
  SupervisorClient.ofProcess().largestCall = () => memoryByCall.largest;
  new LoopWatchdog({
    onBlocked: ({ ms, callId, tool, frames }) =>
      log().warn({ ms, call_id: callId, tool, frames }, 'event loop blocked'),
  });
  process.on('message', (command: HostCommand) => start(agent, jobProcess, command));
  report({ type: 'ready' });
  collectGarbageSoon(() => calls.size === 0);
}

main().catch((error) => {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
});
