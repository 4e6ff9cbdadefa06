// SPDX-License-Identifier: Apache-2.0

/** As in package.json. */
export const PACKAGE_NAME = 'livekit-plugin-nova-sonic';
/** As in package.json. */
export const PACKAGE_VERSION = '0.1.0';
