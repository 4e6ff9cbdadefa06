// SPDX-License-Identifier: Apache-2.0

import { Table } from 'aws-cdk-lib/aws-dynamodb';
import { App, Stack } from 'aws-cdk-lib/core';
import {
  AgentNetwork,
  CallScaling,
  importVpc,
  LiveKitCredentials,
  VoiceAgentMonitoring,
  VoiceAgentService,
} from '../../lib/index.js';

const app = new App();
const stack = new Stack(app, 'voice-agent-in-our-vpc');

// Private subnets with egress. IDs instead of a lookup: synth needs no credentials.
const ours = importVpc(stack, 'vpc-0123456789abcdef0', [
  'subnet-0123456789abcdef0',
  'subnet-0123456789abcdef1',
]);
const agent = new VoiceAgentService(stack, 'Agent', {
  network: new AgentNetwork(stack, 'Network', ours),
  credentials: new LiveKitCredentials(stack, 'LiveKit', {
    secret: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:team/livekit-AbCdEf',
  }),
});
new CallScaling(stack, 'Scaling', {
  service: agent.service,
  metrics: agent.metrics,
  minTasks: 2,
  maxTasks: 2,
});
new VoiceAgentMonitoring(stack, 'Monitoring', { agent, alarmEmail: 'ops@example.com' });

// A tool in assistant.ts that reads orders needs permission to do so: grant it to the service.
Table.fromTableName(stack, 'Orders', 'orders').grantReadData(agent);

app.synth();
