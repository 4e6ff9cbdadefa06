// SPDX-License-Identifier: Apache-2.0

import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { FileSystem } from 'aws-cdk-lib/core';
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
   * Folder with files that replace those of the agent's sources (`agent/src`) or join them, such as an assistant.ts of your own.
   * @default - none
   */
  readonly agentFiles?: string;

  /**
   * Docker context of your own, whose Dockerfile builds the whole image. Not with `agentFiles`, `baseImage` or `projectRoot`.
   * @default - the agent of this library
   */
  readonly directory?: string;

  /**
   * The project's root folder, with agent/ and package-lock.json.
   * @default - the one that holds this file
   */
  readonly projectRoot?: string;
}

/** The Docker context of the agent: of this repository, or as it was published with this library. */
function agentContext({ projectRoot, agentFiles }: AgentImageProps): string {
  const published = fileURLToPath(new URL('agent-image', import.meta.url));
  const context =
    !projectRoot && existsSync(published)
      ? published
      : stageImageContext(projectRoot ?? fileURLToPath(new URL('../..', import.meta.url)));
  if (!agentFiles) return context;
  if (!existsSync(agentFiles)) {
    throw new Error(`"agentFiles" cannot be "${agentFiles}": there is no such folder.`);
  }
  const own = FileSystem.mkdtemp('agent-image-');
  cpSync(context, own, { recursive: true });
  cpSync(agentFiles, join(own, 'agent', 'src'), { recursive: true });
  return own;
}

/** The agent's container image, built from agent/ by `cdk deploy`. It changes only when its sources or packages change. */
export class AgentImage extends DockerImageAsset {
  public readonly architecture: CpuArchitecture;

  constructor(scope: Construct, id: string, props: AgentImageProps = {}) {
    const architecture = props.architecture ?? CpuArchitecture.ARM64;
    const { directory } = props;
    if (directory && (props.agentFiles || props.baseImage || props.projectRoot)) {
      throw new Error(
        '"directory" is an image of your own and cannot be set with "agentFiles", "baseImage" or "projectRoot".',
      );
    }
    super(scope, id, {
      ...(directory ? { directory } : { directory: agentContext(props), file: 'agent/Dockerfile' }),
      platform:
        architecture === CpuArchitecture.X86_64 ? Platform.LINUX_AMD64 : Platform.LINUX_ARM64,
      ...(props.baseImage && { buildArgs: { NODE_IMAGE: props.baseImage } }),
      displayName: 'Voice agent',
    });
    this.architecture = architecture;
  }
}
