// SPDX-License-Identifier: Apache-2.0

import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import {
  DEFAULT_MODEL,
  DEFAULT_STREAM_QUOTA,
  parseModelId,
} from 'livekit-plugin-nova-sonic/models';
import { type NovaSonicLane, type NovaSonicLaneProps, nameLanes } from './nova-sonic-lanes.js';
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
   * Regions of several accounts, each with its own stream quota, instead of `regions`: in the order in which a call tries
   * them, where neighbours in the same Region share the calls. `BedrockLaneRole` makes the role in another account.
   * @default - a lane of the own account for each of `regions`
   */
  readonly lanes?: readonly NovaSonicLaneProps[];

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

/** The model, its Regions or lanes, and the permission to call it: `bedrock:InvokeModel` on nothing else. */
export class NovaSonicAccess extends Construct {
  public readonly model: string;
  /** All Regions in which the model is called. */
  public readonly regions: readonly string[];
  /** Where streams are opened, in order. */
  public readonly lanes: readonly NovaSonicLane[];
  /** The lanes are the prop, not made from Regions. */
  public readonly hasOwnLanes: boolean;
  public readonly streamQuotaPerRegion: number;

  /** @throws Error with one sentence for each model or Region that cannot be used */
  constructor(scope: Construct, id: string, props: NovaSonicAccessProps = {}) {
    super(scope, id);
    this.model = props.model ?? DEFAULT_MODEL;
    this.streamQuotaPerRegion = props.streamQuotaPerRegion ?? DEFAULT_STREAM_QUOTA;
    if (props.regions?.length === 0) throw new Error('"regions" cannot be empty: name a Region.');
    if (props.regions && props.lanes)
      throw new Error('"regions" cannot be set with "lanes": each lane has its Region.');
    this.hasOwnLanes = props.lanes !== undefined;
    const lanes = props.lanes ?? (props.regions ?? DEFAULT_REGIONS).map((region) => ({ region }));
    this.lanes = nameLanes(lanes, this.streamQuotaPerRegion);
    this.regions = [...new Set(this.lanes.map(({ region }) => region))];
    const problems = props.forceModel ? [] : validateModel(this.model, this.regions);
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }

  /** Streams that may be open at once in all lanes together. */
  public get streamQuota(): number {
    return this.lanes.reduce((sum, { streams }) => sum + streams, 0);
  }

  /**
   * Grants calls of exactly this model in exactly these Regions, and to assume exactly the roles of the lanes. Bedrock's
   * bidirectional stream is authorised by `bedrock:InvokeModel`; an action named after the operation does not exist.
   */
  public grantInvoke(grantee: IGrantable): Grant {
    const grants: Grant[] = [];
    const resourceArns = this.resourceArns();
    if (resourceArns.length > 0)
      grants.push(
        Grant.addToPrincipal({ grantee, actions: ['bedrock:InvokeModel'], resourceArns }),
      );
    const roles = [...new Set(this.lanes.flatMap(({ role }) => role ?? []))];
    if (roles.length > 0)
      grants.push(
        Grant.addToPrincipal({ grantee, actions: ['sts:AssumeRole'], resourceArns: roles }),
      );
    return grants.reduce((all, grant) => all.combine(grant));
  }

  /** The ARNs of the model in the Regions of the own account, and of the inference profile when one is used. */
  public resourceArns(): string[] {
    const own = this.lanes.flatMap(({ region, role }) => (role ? [] : [region]));
    if (own.length === 0) return [];
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
    const models = modelRegions(this.model, own).map(modelIn);
    if (!profile) return models;

    // A profile belongs to the calling Region and account, and needs permission for the model behind it as well.
    const profiles = own.map((region) =>
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
