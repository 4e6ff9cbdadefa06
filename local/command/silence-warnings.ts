// SPDX-License-Identifier: Apache-2.0

// Import this before any LiveKit module: outside production, rtc-node logs every step to standard output.
process.env.NODE_ENV ??= 'production';
// The SDK's warning about Node's version is for whoever chooses the version, not for the user of a command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
