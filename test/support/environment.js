// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript: jest.config.js uses it.

import { createRequire } from 'node:module';
import { TestEnvironment } from 'jest-environment-node';

const require = createRequire(import.meta.url);

/** Objects of these classes are made with their constructors only: both sides have the same ones. */
const COMMON_CLASSES = [
  ...['Map', 'Set', 'WeakMap', 'WeakSet', 'Date', 'SharedArrayBuffer', 'DataView'],
  ...['Int8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array'],
  ...['Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'],
];

/** Literals, functions and the engine make objects of these, so that each side has its own. */
const OWN_CLASSES = [
  ...['Object', 'Function', 'Array', 'RegExp', 'Promise', 'Error', 'EvalError', 'RangeError'],
  ...['ReferenceError', 'SyntaxError', 'TypeError', 'URIError'],
];

/** Globals of the framework that our code uses: its logger, and rtc-node's native client. */
const COMMON_GLOBALS = [Symbol.for('@livekit/agents:logger'), '_ffiClientInstance'];

/** What shared packages keep in globals for the process, and what none but the test file that set it may find there. */
const GLOBALS_OF_A_FILE = [...COMMON_GLOBALS, Symbol.for('opentelemetry.js.api.1')];

const isInstance = Function.prototype[Symbol.hasInstance];
/** The globals of the test file that runs. */
let inside;

/** An instance of one's own class is one of the other side's, too. */
function recogniseInstances(globals, others) {
  for (const name of OWN_CLASSES) {
    const own = globals[name];
    Object.defineProperty(own, Symbol.hasInstance, {
      configurable: true,
      value(value) {
        if (isInstance.call(this, value)) return true;
        const other = this === own ? others()?.[name] : undefined;
        return other !== undefined && isInstance.call(other, value);
      },
    });
  }
}
recogniseInstances(globalThis, () => inside);

/**
 * Jest's environment for Node, and outside of it the packages that a worker of Jest loads once for all its test files
 * (`shared-packages.js`). They have the environment variables and the console of the test file; what it changes of them,
 * and what it spies on, is as before for the next one.
 */
export default class SharingEnvironment extends TestEnvironment {
  #console = globalThis.console;
  #env = process.env;
  #variables = { ...process.env };

  constructor(config, context) {
    super(config, context);
    const { global } = this;
    inside = global;
    for (const name of COMMON_CLASSES) global[name] = globalThis[name];
    recogniseInstances(global, () => globalThis);
    global[Symbol.for('outside')] = { import: (url) => import(url), require };
    Object.defineProperty(global.process, 'env', {
      configurable: true,
      get: () => process.env,
      set: (variables) => {
        process.env = variables;
      },
    });
    this.#shareGlobals();
  }

  async setup() {
    await super.setup();
    globalThis.console = this.global.console;
  }

  async teardown() {
    this.moduleMocker.restoreAllMocks();
    await super.teardown();
    inside = undefined;
    globalThis.console = this.#console;
    process.env = this.#env;
    for (const name of Object.keys(this.#env))
      if (!(name in this.#variables)) delete this.#env[name];
    Object.assign(this.#env, this.#variables);
    for (const key of GLOBALS_OF_A_FILE) delete globalThis[key];
  }

  #shareGlobals() {
    for (const key of COMMON_GLOBALS)
      Object.defineProperty(this.global, key, {
        configurable: true,
        get: () => globalThis[key],
        set: (value) => {
          globalThis[key] = value;
        },
      });
    // What the test file defines on its global object comes here.
    const sandbox = this._globalProxy;
    const { defineProperty } = sandbox;
    sandbox.defineProperty = (target, key, descriptor) =>
      COMMON_GLOBALS.includes(key)
        ? Reflect.defineProperty(globalThis, key, descriptor)
        : defineProperty.call(sandbox, target, key, descriptor);
  }
}
