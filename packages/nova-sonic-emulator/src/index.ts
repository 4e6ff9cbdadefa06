// SPDX-License-Identifier: Apache-2.0
export type { Stats } from './control.js';
export * from './emulator.js';
export { validateRecording } from './validate.js';
