// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type Stack, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readSettings } from '../../lib/settings/read-settings.js';
import { VoiceAgentStack } from '../../lib/voice-agent-stack.js';
import { environmentOf, flat, newApp, only, PROJECT, templateOf, templateWith } from './synth.js';

describe('outputs', () => {
  const OUTPUTS: [name: string, value: RegExp, description: string][] = [
    [
      'DashboardUrl',
      /^https:\/\/<AWS::Region>\.console\.aws\.amazon\.com\/cloudwatch\/home\?region=<AWS::Region>#dashboards\/dashboard\/<MonitoringDashboard\w+>$/,
      'The dashboard in the console',
    ],
    ['LogGroupName', /^<Log\w+>$/, 'The log of the workers'],
    [
      'CrashLogGroupName',
      /^<MonitoringTaskCrashesLog\w+>$/,
      'ECS events of tasks that stopped on their own',
    ],
    ['ClusterName', /^<AgentCluster\w+>$/, 'The ECS cluster'],
    ['ServiceName', /^<AgentService\w+\.Name>$/, 'The ECS service'],
    [
      'LiveKitSecret',
      /:secret:nova-sonic-agent\/livekit$/,
      'The secret with the address and keys of LiveKit',
    ],
    [
      'TaskRoleArn',
      /^<AgentRolesTask\w+\.Arn>$/,
      'The role of the tasks, which roles in other accounts trust',
    ],
    ['AgentName', /^support$/, 'The name for dispatching the agent to a room'],
    [
      'FollowLogs',
      /^aws logs tail <Log\w+> --follow --region <AWS::Region>$/,
      'The command that follows the log',
    ],
    [
      'RestartTasks',
      /^aws ecs update-service --cluster <AgentCluster\w+> --service <AgentService\w+\.Name> --force-new-deployment --region <AWS::Region>$/,
      'The command that starts new tasks, for example after changing the secret; live calls continue',
    ],
  ];
  const outputs = (context = {}) =>
    templateWith(context).toJSON().Outputs as Record<
      string,
      { Value: unknown; Description: string }
    >;

  test.each(OUTPUTS)('%s is what one needs next', (name, value, description) => {
    const output = outputs({ agentName: 'support' })[name];
    expect(flat(output?.Value)).toMatch(value);
    expect(output?.Description).toBe(description);
  });

  test('are these and no others', () => {
    const names = OUTPUTS.map(([name]) => name);
    expect(Object.keys(outputs({ agentName: 'support' })).sort()).toEqual([...names].sort());
    expect(outputs()).not.toHaveProperty('AgentName');
  });
});

test('the stack has a description', () => {
  expect(templateWith().toJSON().Description).toBe(
    'Voice agents: LiveKit in front, Amazon Nova Sonic behind, on ECS Fargate',
  );
});

test('an unknown model is used when forced', () => {
  const forced = templateWith({ model: 'amazon.nova-3-sonic', forceModel: true });
  expect(environmentOf(forced).NOVA_SONIC_MODEL).toBe('amazon.nova-3-sonic');
});

describe('a VPC without its subnets', () => {
  const subnets = (prefix: string) =>
    ['a', 'b'].map((zone, index) => ({
      subnetId: `subnet-0123456${prefix}${index}`,
      cidr: `10.0.${prefix}${index}.0/24`,
      availabilityZone: `eu-north-1${zone}`,
      routeTableId: `rtb-0123456${prefix}${index}`,
    }));
  /** What the CDK answers to the one lookup that the stack asks for. */
  const answer = {
    vpcId: 'vpc-01234567',
    vpcCidrBlock: '10.0.0.0/16',
    availabilityZones: [],
    subnetGroups: [
      { name: 'Private', type: 'Private', subnets: subnets('1') },
      { name: 'Public', type: 'Public', subnets: subnets('2') },
    ],
  };
  const lookedUp = (context: Record<string, unknown>) => {
    const env = { account: '111122223333', region: 'eu-north-1' };
    const app = newApp();
    app.node.setContext(
      'vpc-provider:account=111122223333:filter.vpc-id=vpc-01234567:region=eu-north-1:returnAsymmetricSubnets=true',
      answer,
    );
    return templateOf(
      new VoiceAgentStack(app, 'voice-agent', {
        env,
        settings: readSettings(context),
        projectRoot: PROJECT,
      }),
    );
  };
  const placement = (template: ReturnType<typeof lookedUp>) =>
    only(template, 'AWS::ECS::Service').NetworkConfiguration.AwsvpcConfiguration;

  test('is looked up, and its private subnets are taken', () => {
    const template = lookedUp({ vpcId: 'vpc-01234567', vpcEndpoints: true });
    template.resourceCountIs('AWS::EC2::VPC', 0);
    template.resourceCountIs('AWS::EC2::VPCEndpoint', 5);
    expect(placement(template)).toMatchObject({
      AssignPublicIp: 'DISABLED',
      Subnets: ['subnet-012345610', 'subnet-012345611'],
    });
  });

  test('has its public subnets taken when tasks are to have public addresses', () => {
    expect(placement(lookedUp({ vpcId: 'vpc-01234567', publicIp: true }))).toMatchObject({
      AssignPublicIp: 'ENABLED',
      Subnets: ['subnet-012345620', 'subnet-012345621'],
    });
  });
});

test('keeps the logical IDs of resources that a deployment must not replace', () => {
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
    new VoiceAgentStack(newApp(), 'voice-agent', {
      settings: readSettings(context),
      projectRoot: PROJECT,
    });

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
      new VoiceAgentStack(app, name, { settings: settings(name), projectRoot: PROJECT });
    const services = app
      .synth()
      .stacks.map(
        ({ template }) => /"SERVICE_NAME","Value":"(\w+)"/.exec(JSON.stringify(template))?.[1],
      );
    expect(services.sort()).toEqual(['sales', 'support']);
  });
});

test('two stacks of one account have no physical name in common', () => {
  const context = { alarmEmail: 'ops@example.com', natGateways: 1, vpcEndpoints: true };
  // No name of a resource: what an alarm watches, what a topic shows, and a policy inside its role.
  const others = /MetricName|DisplayName|AWS::IAM::Policy PolicyName/;
  const [first = [], second = []] = ['support', 'sales'].map((name) => {
    const settings = readSettings({ name, ...context });
    const stack = new VoiceAgentStack(newApp(), name, { settings, projectRoot: PROJECT });
    return Object.values<{ Type: string; Properties?: object }>(
      templateOf(stack).toJSON().Resources,
    ).flatMap(({ Type, Properties = {} }) =>
      Object.entries(Properties)
        .filter(([key, value]) => /Name$|^Family$/.test(key) && typeof value === 'string')
        .map(([key, value]) => `${Type} ${key} ${value}`)
        .filter((named) => !others.test(named)),
    );
  });
  expect(first.join()).toContain('AWS::ECS::TaskDefinition Family supportAgentTask');
  expect(first.filter((name) => second.includes(name))).toEqual([]);
});

test('deleting the stack leaves two logs, and nothing that its successor would meet', () => {
  const { Resources } = templateWith({ alarmEmail: 'ops@example.com' }).toJSON();
  const kept = Object.entries<{ DeletionPolicy?: string; Properties?: object }>(Resources).filter(
    ([, { DeletionPolicy = 'Delete' }]) => DeletionPolicy !== 'Delete',
  );
  expect(kept.map(([id]) => id).sort()).toEqual([
    'Log95422804',
    'MonitoringTaskCrashesLog29A11581',
  ]);
  for (const [, { Properties }] of kept) expect(Properties).not.toHaveProperty('LogGroupName');
});

describe('cdk-nag', () => {
  const findings = (context: Record<string, unknown>, change?: (stack: Stack) => void) => {
    const app = newApp();
    const stack = new VoiceAgentStack(app, 'voice-agent', {
      settings: readSettings(context),
      projectRoot: PROJECT,
    });
    change?.(stack);
    const report = new AwsSolutionsChecks().validateScope(app);
    return report.violations.map(({ ruleName }) => ruleName);
  };

  test.each([
    {},
    {
      ...{ alarmEmail: 'ops@example.com', spot: true, containerInsights: 'enhanced' },
      ...{ natGateways: 1, vpcEndpoints: true, model: 'global.amazon.nova-2-sonic-v1:0' },
    },
    { vpcId: 'vpc-01234567', subnetIds: 'subnet-01234567', vpcEndpoints: true },
    {
      ...{ traces: 'xray', serviceLevelPercent: 95, tenantMetadataKey: 'tenant' },
      ...{ monthlyBudgetUsd: 500, alarmEmail: 'ops@example.com' },
    },
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

  test.each(['off', 'on'])(
    'is acknowledged in few places, with a reason each: insights %s',
    (containerInsights) => {
      const app = newApp();
      const settings = readSettings({ containerInsights });
      const stack = new VoiceAgentStack(app, 'voice-agent', { settings, projectRoot: PROJECT });
      const acknowledged = stack.node
        .findAll()
        .flatMap(({ node }) => node.metadata)
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .map(({ data }) => JSON.stringify(data))
        .filter((text) => text.includes('AwsSolutions'));
      const rules = acknowledged.map((text) => /AwsSolutions-(\w+)/.exec(text)?.[1]).sort();
      expect(rules).toEqual([
        'ECS2',
        ...(containerInsights === 'off' ? ['ECS4'] : []),
        'IAM5',
        'IAM5',
        'IAM5',
        'IAM5',
      ]);
      for (const text of acknowledged) {
        if (text.includes('IAM5')) expect(text).toContain('IAM5[Resource::');
        expect(text.length).toBeGreaterThan(80);
      }
    },
  );
});
