// SPDX-License-Identifier: Apache-2.0

/** One side of the call: the user of the page, or the agent. */
export type CallSide = 'you' | 'agent';
