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

test('keeps the logical IDs of what a deploy must not make anew', () => {
  const lasting =
    /ECS::(Service|Cluster)|LogGroup|EC2::(VPC|SecurityGroup|Subnet|VPCEndpoint)$|Dashboard|ScalableTarget|Rule/;
  const { Resources } = templateWith({ natGateways: 1, vpcEndpoints: true }).toJSON();
  const ids = Object.entries<{ Type: string }>(Resources)
    .filter(([, { Type }]) => lasting.test(Type))
    .map(([id]) => id);
  // Another ID is another resource: live calls, logs and graphs of the old one would end.
  expect(ids.sort()).toEqual([
    'AgentClusterF1EC2E82',
    'AgentServiceF2D3C3B9',
    'AgentServiceTaskCountTargetA5A8D21F',
    'Log95422804',
    'MonitoringDashboard242C9864',
    'MonitoringTaskCrashesLog29A11581',
    'MonitoringTaskCrashesRuleD26A4C6C',
    'NetworkBedrockRuntime113C419A',
    'NetworkEcrApi143B6701',
    'NetworkEcrDocker887440C8',
    'NetworkEndpointSecurityGroup6DEF6240',
    'NetworkFlowLog1F1901E0',
    'NetworkLogs410D5F1E',
    'NetworkSecretsManager191D9DF7',
    'NetworkSecurityGroup6335DB55',
    'NetworkVpc7FB7348F',
    'NetworkVpcPrivateSubnet1Subnet6DD86AE6',
    'NetworkVpcPrivateSubnet2Subnet1BDBE877',
    'NetworkVpcPublicSubnet1Subnet36933139',
    'NetworkVpcPublicSubnet2SubnetC427CCE0',
    'NetworkVpcS334FC449B',
  ]);
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
