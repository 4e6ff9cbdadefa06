// SPDX-License-Identifier: Apache-2.0

import { type Check, failCheck } from './check.js';

export const docker: Check = async ({ image, architecture }, outside) => {
  if (image) return 'Not needed: "image" is built already.';
  const platform = architecture === 'x86_64' ? 'linux/amd64' : 'linux/arm64';
  let platforms: readonly string[];
  try {
    platforms = await outside.dockerPlatforms();
  } catch {
    return failCheck('Docker does not run on this machine: start it, or set "image".');
  }
  return platforms.includes(platform)
    ? `It builds for ${platform}.`
    : failCheck(
        `Docker cannot build for ${platform}: run \`docker run --privileged --rm tonistiigi/binfmt --install ${platform.slice(6)}\`, or change "architecture".`,
      );
};
