// SPDX-License-Identifier: Apache-2.0

import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { App, Stack } from 'aws-cdk-lib/core';
import {
  BedrockLaneRole,
  CallScaling,
  NovaSonicAccess,
  VoiceAgentMonitoring,
  VoiceAgentService,
} from '../../lib/index.js';

/** The account of the voice agent, and two that lend it their Bedrock streams. */
const OWN = '111122223333';
const LENDERS = ['222233334444', '333344445555'];
const REGIONS = ['us-east-1', 'us-west-2'];
// Names that both sides know before anything is deployed.
const TASK_ROLE = 'voice-agent-task';
const LANE_ROLE = 'voice-agent-lane';

const app = new App();

for (const account of LENDERS) {
  const lender = new Stack(app, `voice-agent-lane-${account}`, {
    env: { account, region: 'us-east-1' },
  });
  new BedrockLaneRole(lender, 'Lane', {
    taskRoleArn: `arn:aws:iam::${OWN}:role/${TASK_ROLE}`,
    regions: REGIONS,
    roleName: LANE_ROLE,
  });
}

const stack = new Stack(app, 'voice-agent-three-accounts');
// Region by Region, so that calls stay in the first one as long as any account has room there.
const novaSonic = new NovaSonicAccess(stack, 'NovaSonic', {
  lanes: REGIONS.flatMap((region) => [
    { region },
    ...LENDERS.map((account) => ({ region, role: `arn:aws:iam::${account}:role/${LANE_ROLE}` })),
  ]),
});
const agent = new VoiceAgentService(stack, 'Agent', {
  novaSonic,
  callsPerTask: 10,
  taskRole: new Role(stack, 'TaskRole', {
    roleName: TASK_ROLE,
    assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'),
  }),
});

// 3 accounts x 2 Regions x 20 streams are 120 calls.
const maxTasks = novaSonic.streamQuota / agent.callsPerTask;
const scaling = new CallScaling(stack, 'Scaling', {
  service: agent.service,
  metrics: agent.metrics,
  maxTasks,
});
new VoiceAgentMonitoring(stack, 'Monitoring', { agent, scaling });

app.synth();
