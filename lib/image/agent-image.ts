// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import { stageImageContext } from './image-context.js';

export interface AgentImageProps {
  /**
   * Processor for which the image is built; Docker emulates it on a machine with another one.
   * @default CpuArchitecture.ARM64, a fifth cheaper on Fargate
   */
  readonly architecture?: CpuArchitecture;

  /**
   * Base image: glibc, Node 24, a user `node`.
   * @default - the one in agent/Dockerfile
   */
  readonly baseImage?: string;

  /**
   * The project's root folder, with agent/ and package-lock.json.
   * @default - the one that holds this file
   */
  readonly projectRoot?: string;
}

/** The agent's container image, built from agent/ by `cdk deploy`. It changes only when its sources or packages change. */
export class AgentImage extends DockerImageAsset {
  public readonly architecture: CpuArchitecture;

  constructor(scope: Construct, id: string, props: AgentImageProps = {}) {
    const architecture = props.architecture ?? CpuArchitecture.ARM64;
    const root = props.projectRoot ?? fileURLToPath(new URL('../..', import.meta.url));
    super(scope, id, {
      directory: stageImageContext(root),
      file: 'agent/Dockerfile',
      platform:
        architecture === CpuArchitecture.X86_64 ? Platform.LINUX_AMD64 : Platform.LINUX_ARM64,
      ...(props.baseImage && { buildArgs: { NODE_IMAGE: props.baseImage } }),
      displayName: 'Voice agent',
    });
    this.architecture = architecture;
  }
}
