// SPDX-License-Identifier: Apache-2.0

export type { LiveKitAddress as LiveKitConnection } from '../../agent/src/caller/join-room.js';
