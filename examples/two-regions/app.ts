// SPDX-License-Identifier: Apache-2.0

import { App, Stack } from 'aws-cdk-lib/core';
import {
  CallScaling,
  NovaSonicAccess,
  VoiceAgentMonitoring,
  VoiceAgentService,
} from '../../lib/index.js';

const app = new App();
const stack = new Stack(app, 'voice-agent-two-regions');

// Each Region has its own stream quota: two carry twice the calls, and one can fail.
const novaSonic = new NovaSonicAccess(stack, 'NovaSonic', { regions: ['us-east-1', 'us-west-2'] });
const agent = new VoiceAgentService(stack, 'Agent', { novaSonic, callsPerTask: 10 });

const maxTasks = novaSonic.streamQuota / agent.callsPerTask;
new CallScaling(stack, 'Scaling', {
  service: agent.service,
  metrics: agent.metrics,
  maxTasks,
  schedules: [
    { cron: '30 7 ? * MON-FRI', timeZone: 'America/New_York', minTasks: 2, maxTasks },
    { cron: '0 20 ? * MON-FRI', timeZone: 'America/New_York', minTasks: 1, maxTasks },
  ],
});
new VoiceAgentMonitoring(stack, 'Monitoring', { agent });

app.synth();
