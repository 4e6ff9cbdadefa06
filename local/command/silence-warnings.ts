// SPDX-License-Identifier: Apache-2.0

// To be imported before anything of LiveKit's: outside production rtc-node logs each step to standard output.
process.env.NODE_ENV ??= 'production';
// The SDK's advice about Node's version is for us, who choose the version, not for whoever runs a command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
