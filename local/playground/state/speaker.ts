// SPDX-License-Identifier: Apache-2.0

/** Who speaks: the user of the page, or the agent. */
export type Speaker = 'you' | 'agent';
