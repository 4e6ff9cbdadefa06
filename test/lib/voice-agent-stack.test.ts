// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type Stack, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readSettings } from '../../lib/settings.js';
import { VoiceAgentStack } from '../../lib/voice-agent-stack.js';
import { flat, newApp, templateWith } from './synth.js';

describe('outputs', () => {
  const outputs = () =>
    templateWith().toJSON().Outputs as Record<string, { Value: unknown; Description: string }>;

  test('are what one needs next', () => {
    const values = Object.fromEntries(
      Object.entries(outputs()).map(([name, { Value }]) => [
        name,
        flat(Value).replace(/<\w+\.?\w*>/g, '<>'),
      ]),
    );
    expect(values).toEqual({
      DashboardUrl: expect.stringContaining('.console.aws.amazon.com/cloudwatch/home?region='),
      LogGroupName: '<>',
      CrashLogGroupName: '<>',
      ClusterName: '<>',
      ServiceName: '<>',
      LiveKitSecret: expect.stringMatching(/:secret:nova-sonic-agent\/livekit$/),
      FollowLogs: expect.stringMatching(/^aws logs tail <> --follow --region /),
      RestartTasks: expect.stringMatching(
        /^aws ecs update-service --cluster <> --service <> --force-new-deployment --region /,
      ),
    });
    expect(flat(outputs().DashboardUrl?.Value)).toMatch(/dashboard\/<MonitoringDashboard\w+>$/);
  });

  test('each have a description', () => {
    for (const { Description } of Object.values(outputs())) expect(Description).toMatch(/\w{3}/);
  });
});

describe('synth', () => {
  const synth = (context = {}) =>
    new VoiceAgentStack(newApp(), 'voice-agent', { settings: readSettings(context) });

  test('gives the same template twice', () => {
    const json = () => JSON.stringify(newTemplate());
    const newTemplate = () =>
      (synth().node.root as ReturnType<typeof newApp>).synth().getStackByName('voice-agent')
        .template;
    expect(json()).toBe(json());
  });

  test('needs no account: nothing is looked up', () => {
    const assembly = (synth().node.root as ReturnType<typeof newApp>).synth();
    expect(assembly.manifest.missing ?? []).toEqual([]);
    expect(assembly.getStackByName('voice-agent').environment.account).toBe('unknown-account');
  });

  test('fits two services into one account', () => {
    const app = newApp();
    const settings = (name: string) => readSettings({ name });
    for (const name of ['support', 'sales'])
      new VoiceAgentStack(app, name, { settings: settings(name) });
    const services = app
      .synth()
      .stacks.map(
        ({ template }) => /"SERVICE_NAME","Value":"(\w+)"/.exec(JSON.stringify(template))?.[1],
      );
    expect(services.sort()).toEqual(['sales', 'support']);
  });
});

describe('cdk-nag', () => {
  const findings = (context: Record<string, unknown>, change?: (stack: Stack) => void) => {
    const app = newApp();
    const stack = new VoiceAgentStack(app, 'voice-agent', { settings: readSettings(context) });
    change?.(stack);
    const report = new AwsSolutionsChecks().validateScope(app);
    return report.violations.map(({ ruleName }) => ruleName);
  };

  test.each([
    {},
    { alarmEmail: 'ops@example.com', spot: true, containerInsights: 'enhanced' },
    { natGateways: 1, vpcEndpoints: true },
    { vpcId: 'vpc-01234567', subnetIds: 'subnet-01234567', vpcEndpoints: true },
    { model: 'global.amazon.nova-2-sonic-v1:0' },
  ])('finds nothing with %j', (context) => {
    expect(findings(context)).toEqual([]);
  });

  test('is looking: what is not acknowledged is found', () => {
    const tooMuch = (stack: Stack) => {
      const { agent } = stack as VoiceAgentStack;
      agent.taskDefinition.addToTaskRolePolicy(
        new PolicyStatement({ actions: ['bedrock:*'], resources: ['*'] }),
      );
    };
    expect(findings({}, tooMuch)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('IAM5[Action::bedrock:*]'),
        expect.stringContaining('IAM5[Resource::*]'),
      ]),
    );
  });

  test('is acknowledged in few places, each one finding with a reason', () => {
    const app = newApp();
    const stack = new VoiceAgentStack(app, 'voice-agent', { settings: readSettings({}) });
    const acknowledged = stack.node
      .findAll()
      .flatMap(({ node }) => node.metadata)
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .map(({ data }) => JSON.stringify(data));
    const rules = acknowledged.map((text) => /AwsSolutions-(\w+)/.exec(text)?.[1]).sort();
    expect(rules).toEqual(['ECS2', 'ECS4', 'IAM5', 'IAM5']);
    for (const text of acknowledged) {
      if (text.includes('IAM5')) expect(text).toContain('IAM5[Resource::');
      expect(text.length).toBeGreaterThan(80);
    }
  });
});
