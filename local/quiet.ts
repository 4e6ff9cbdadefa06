// SPDX-License-Identifier: Apache-2.0

// To be imported before anything of LiveKit's: outside production rtc-node logs each step to standard output.
process.env.NODE_ENV ??= 'production';
