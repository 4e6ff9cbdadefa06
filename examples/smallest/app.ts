// SPDX-License-Identifier: Apache-2.0

import { App, Stack } from 'aws-cdk-lib/core';
import { CallScaling, VoiceAgentMonitoring, VoiceAgentService } from '../../lib/index.js';

const app = new App();
const stack = new Stack(app, 'smallest-voice-agent');

// A new VPC, the secret nova-sonic-agent/livekit, Nova 2 Sonic in us-east-1, 10 calls per task.
const agent = new VoiceAgentService(stack, 'Agent');
new CallScaling(stack, 'Scaling', { service: agent.service, metrics: agent.metrics });
new VoiceAgentMonitoring(stack, 'Monitoring', { agent });

app.synth();
