// SPDX-License-Identifier: Apache-2.0

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { llm, type log } from '@livekit/agents';
import { Room } from '@livekit/rtc-node';
import { memoryByCall } from './memory-by-call.js';
import { deliverOwnEvents } from './own-room-events.js';

type Logger = ReturnType<typeof log>;

/** Where the framework keeps the logger that `log()` returns (1.9.0, log_core.ts). */
const FRAMEWORK_LOGGER = Symbol.for('@livekit/agents:logger');
/** Where the event-loop watchdog, which pauses this thread from another one, finds the running call. */
const RUNNING_CALL = Symbol.for('nova-sonic-agent:running-call');

/** One of the calls that a process carries, as code running for it finds it. */
export interface CallContext {
  /** LiveKit's job id. */
  readonly callId: string;
  readonly logger: Logger;
  /** The tool that is running, if any. */
  readonly tool?: string;
}

const calls = new AsyncLocalStorage<CallContext>();

/** The call that the running code belongs to; undefined outside of calls. */
export const currentCall = (): CallContext | undefined => calls.getStore();

/** Runs `fn`, and everything that it starts, for a call. */
export function runInCall<T>(call: CallContext, fn: () => T): T {
  return calls.run(call, fn);
}

/** Runs a tool for the current call; outside of a call it just runs. */
export function runTool<T>(tool: string, fn: () => T): T {
  const call = calls.getStore();
  if (!call) return fn();
  return calls.run({ ...call, tool }, () => memoryByCall.measure(call.callId, fn));
}

/** The same tools, each of which runs under its name. With a toolset, which may change, they run under none. */
export function nameTools(tools: llm.ToolContextLike): llm.ToolContextLike {
  const context = llm.toToolContext(tools);
  if (context.toolsets.length > 0 || context.providerTools.length > 0) return tools;
  return new llm.ToolContext(
    Object.entries(context.functionTools).map(([name, tool]) => ({
      ...tool,
      execute: (args, options) => runTool(name, () => tool.execute(args, options)),
    })),
  );
}

/**
 * Makes `log()` of the framework, and so ours, return the current call's logger: each line has its call's ids.
 * To be called once in a process, after `initializeLogger`.
 */
export function installCallLogging(): void {
  const globals = globalThis as Record<symbol, unknown>;
  let base = globals[FRAMEWORK_LOGGER];
  Object.defineProperty(globals, FRAMEWORK_LOGGER, {
    configurable: true,
    get: () => calls.getStore()?.logger ?? base,
    set: (logger: unknown) => {
      base = logger;
    },
  });
  globals[RUNNING_CALL] = () => {
    const call = calls.getStore();
    return call && { callId: call.callId, tool: call.tool };
  };
}

/**
 * A room whose events and stream handlers run in the context in which the room was made. The native client of
 * rtc-node is one for the process: without this its callbacks belong to no call, so that their log lines have no
 * ids and `getJobContext()` finds nothing. It gets its own events only.
 */
export class CallRoom extends Room {
  readonly #context = new AsyncResource('CallRoom');

  constructor() {
    super();
    deliverOwnEvents(this);
  }

  override emit: Room['emit'] = (event, ...args) =>
    this.#context.runInAsyncScope(() => super.emit(event, ...args));

  override registerTextStreamHandler: Room['registerTextStreamHandler'] = (topic, handler) =>
    super.registerTextStreamHandler(topic, this.#context.bind(handler));

  override registerByteStreamHandler: Room['registerByteStreamHandler'] = (topic, handler) =>
    super.registerByteStreamHandler(topic, this.#context.bind(handler));
}
