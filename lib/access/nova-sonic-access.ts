// SPDX-License-Identifier: Apache-2.0

import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import {
  DEFAULT_MODEL,
  DEFAULT_STREAM_QUOTA,
  parseModelId,
} from 'livekit-plugin-nova-sonic/models';
import { DEFAULT_REGIONS, modelRegions, validateModel } from './nova-sonic-models.js';

export interface NovaSonicAccessProps {
  /**
   * Model ID, or the ID of a system inference profile (`us.amazon.nova-2-sonic-v1:0`).
   * @default 'amazon.nova-2-sonic-v1:0'
   */
  readonly model?: string;

  /**
   * Bedrock Regions in the order in which a call tries them; a later one is used when an earlier one throttles or fails.
   * Callers' speech is processed in all of them.
   * @default ['us-east-1']
   */
  readonly regions?: readonly string[];

  /**
   * Concurrent streams that your account may have in one Region. Concurrent calls cannot exceed this times the Regions.
   * @default 20, the quota of Nova 2 Sonic
   */
  readonly streamQuotaPerRegion?: number;

  /**
   * Accept a model or a Region that is unknown to this version, or a model past its end of life.
   * @default false
   */
  readonly forceModel?: boolean;
}

/** The model, its Regions, and the permission to call it: `bedrock:InvokeModel` on nothing else. */
export class NovaSonicAccess extends Construct {
  public readonly model: string;
  public readonly regions: readonly string[];
  public readonly streamQuotaPerRegion: number;

  /** @throws Error with one sentence for each model or Region that cannot be used */
  constructor(scope: Construct, id: string, props: NovaSonicAccessProps = {}) {
    super(scope, id);
    this.model = props.model ?? DEFAULT_MODEL;
    this.regions = props.regions ?? DEFAULT_REGIONS;
    this.streamQuotaPerRegion = props.streamQuotaPerRegion ?? DEFAULT_STREAM_QUOTA;
    if (this.regions.length === 0) throw new Error('"regions" cannot be empty: name a Region.');
    const problems = props.forceModel ? [] : validateModel(this.model, this.regions);
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }

  /** Streams that may be open at once in all Regions together. */
  public get streamQuota(): number {
    return this.streamQuotaPerRegion * this.regions.length;
  }

  /**
   * Grants calls of exactly this model in exactly these Regions. Bedrock's bidirectional stream is authorised by
   * `bedrock:InvokeModel`; an action named after the operation does not exist.
   */
  public grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['bedrock:InvokeModel'],
      resourceArns: this.resourceArns(),
    });
  }

  /** The ARNs of the model, and of the inference profile when one is used. */
  public resourceArns(): string[] {
    const { foundationModel, profile } = parseModelId(this.model);
    const stack = Stack.of(this);
    // A foundation model belongs to no account: its ARN has an empty one.
    const modelIn = (region: string) =>
      stack.formatArn({
        service: 'bedrock',
        region,
        account: '',
        resource: 'foundation-model',
        resourceName: foundationModel,
      });
    const models = modelRegions(this.model, this.regions).map(modelIn);
    if (!profile) return models;

    // A profile belongs to the calling Region and account, and needs permission for the model behind it as well.
    const profiles = this.regions.map((region) =>
      stack.formatArn({
        service: 'bedrock',
        region,
        resource: 'inference-profile',
        resourceName: this.model,
      }),
    );
    // What a global profile routes to has an ARN without a Region.
    return [...profiles, ...models, ...(profile === 'global' ? [modelIn('')] : [])];
  }
}
