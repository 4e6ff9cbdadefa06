// SPDX-License-Identifier: Apache-2.0

import { BuildSpec, LinuxArmBuildImage } from 'aws-cdk-lib/aws-codebuild';
import { App, Stack, Stage, type StageProps } from 'aws-cdk-lib/core';
import {
  CodePipeline,
  CodePipelineSource,
  ManualApprovalStep,
  ShellStep,
} from 'aws-cdk-lib/pipelines';
import type { Construct } from 'constructs';
import { readSettings, VoiceAgentStack } from '../../lib/index.js';

const TOOLS = { account: '111122223333', region: 'us-east-1' };
const STAGING = { account: '222233334444', region: 'us-east-1' };
const PRODUCTION = { account: '333344445555', region: 'us-east-1' };

/** The service in one account. Each has a secret named nova-sonic-agent/livekit of its own. */
class Service extends Stage {
  constructor(scope: Construct, id: string, props: StageProps, settings: Record<string, unknown>) {
    super(scope, id, props);
    new VoiceAgentStack(this, 'voice-agent', { settings: readSettings(settings) });
  }
}

const app = new App();
const stack = new Stack(app, 'voice-agent-pipeline', { env: TOOLS });
// The CDK makes the pipeline depend on its role twice.
stack.templateOptions.metadata = { 'cfn-lint': { config: { ignore_checks: ['W3005'] } } };
const pipeline = new CodePipeline(stack, 'Pipeline', {
  crossAccountKeys: true,
  codeBuildDefaults: {
    // The image is for ARM, which another processor could only build with an emulator that CodeBuild does not have.
    buildEnvironment: { buildImage: LinuxArmBuildImage.AMAZON_LINUX_2023_STANDARD_3_0 },
    partialBuildSpec: BuildSpec.fromObject({
      phases: { install: { 'runtime-versions': { nodejs: '22' } } },
    }),
  },
  synth: new ShellStep('Synth', {
    input: CodePipelineSource.connection('our-team/voice-agent', 'main', {
      connectionArn:
        'arn:aws:codeconnections:us-east-1:111122223333:connection/0a1b2c3d-0000-1111-2222-333344445555',
    }),
    commands: ['npm ci', 'npx cdk synth --app "npx tsx examples/pipeline/app.ts"'],
  }),
});

// The pipeline builds the image of a commit once for each account, then deploys it there.
// With the IDs of VPC and subnets nothing is looked up, so the pipeline needs no credentials of the other accounts at synth.
const staging = {
  vpcId: 'vpc-01234567',
  subnetIds: 'subnet-01234567,subnet-12345678',
  maxTasks: 1,
};
const production = {
  ...{ vpcId: 'vpc-89abcdef', subnetIds: 'subnet-89abcdef,subnet-9abcdef0', maxTasks: 2 },
  terminationProtection: true,
};
pipeline.addStage(new Service(app, 'Staging', { env: STAGING }, staging));
pipeline.addStage(new Service(app, 'Production', { env: PRODUCTION }, production), {
  pre: [new ManualApprovalStep('CallStaging', { comment: 'Has somebody called staging?' })],
});

app.synth();
