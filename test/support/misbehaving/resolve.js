// SPDX-License-Identifier: Apache-2.0

export async function resolve(specifier, context, next) {
  if (specifier === './assistant.js' && context.parentURL?.endsWith('/agent/dist/agent.js')) {
    return { url: new URL('./assistant.js', import.meta.url).href, shortCircuit: true };
  }
  return next(specifier, context);
}
