// SPDX-License-Identifier: Apache-2.0

const INSTALLED = '../../../node_modules/@livekit/agents/dist/ipc/proc_pool.js';

/** The pool of the installed framework; tests otherwise use the framework in one file, which has no pool to replace. */
export const installedPool = (): Promise<{ ProcPool?: { prototype: unknown } }> =>
  import(INSTALLED);
