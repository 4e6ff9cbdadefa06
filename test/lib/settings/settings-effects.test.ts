// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { SETTING_NAMES, type Settings, settingDetails } from '../../../lib/settings/settings.js';
import { templateWith } from '../synth.js';

type Context = Record<string, unknown>;

const KEY = 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555';
const IMAGE = `111122223333.dkr.ecr.us-east-1.amazonaws.com/voice@sha256:${'a1'.repeat(32)}`;
const LANE = 'arn:aws:iam::111122223333:role/voice-lane';
const THEIRS = { vpcId: 'vpc-01234567', subnetIds: 'subnet-01234567' };
const ENVIRONMENT = 'AgentTask.Environment';
const OF_METRICS = [
  ...['Alarms', 'DeploymentAlarms', 'MonitoringDashboard'],
  ...['ScalingCalls', 'ScalingRushAlarm'],
];

/** What differs in the template: properties of a resource, whole resources with + and -. */
const TABLE: [setting: string, change: Context, moves: string[], from?: Context][] = [
  ['name', { name: 'support' }, [...OF_METRICS, ENVIRONMENT, 'MonitoringQueries']],
  ['agentName', { agentName: 'support' }, [ENVIRONMENT, '+Outputs.AgentName']],
  [
    'model',
    { model: 'amazon.nova-2-5-sonic' },
    [ENVIRONMENT, 'AgentRolesTaskDefaultPolicy.PolicyDocument'],
  ],
  [
    'bedrockRegions',
    { bedrockRegions: 'us-east-1,us-west-2' },
    [
      ...[ENVIRONMENT, 'AgentRolesTaskDefaultPolicy.PolicyDocument'],
      ...['Alarms', 'MonitoringDashboard'],
    ],
  ],
  [
    'lanes',
    { lanes: [{ region: 'us-east-1' }, { region: 'us-east-1', role: LANE }] },
    [
      ...[ENVIRONMENT, 'AgentRolesTaskDefaultPolicy.PolicyDocument'],
      ...['Alarms', 'MonitoringDashboard'],
    ],
  ],
  ['streamQuotaPerRegion', { streamQuotaPerRegion: 30 }, ['Alarms', 'MonitoringDashboard']],
  ['forceModel', { forceModel: true }, []],
  ['voice', { voice: 'tiffany' }, [ENVIRONMENT]],
  ['renewAfterSeconds', { renewAfterSeconds: 300 }, [ENVIRONMENT]],
  ['maxCallSeconds', { maxCallSeconds: 600 }, [ENVIRONMENT]],
  [
    'liveKitSecret',
    { liveKitSecret: 'other/livekit' },
    [
      'AgentRolesExecutionDefaultPolicy.PolicyDocument',
      'AgentTask.Secrets',
      'Outputs.LiveKitSecret.Value',
    ],
  ],
  ['secretKmsKey', { secretKmsKey: KEY }, ['AgentRolesExecutionDefaultPolicy.PolicyDocument']],
  [
    'secrets',
    { secrets: { WEATHER_API_KEY: 'weather/key' } },
    ['AgentRolesExecutionDefaultPolicy.PolicyDocument', 'AgentTask.Secrets'],
  ],
  [
    'vpcId',
    THEIRS,
    ['-Network', 'AgentService.NetworkConfiguration', 'NetworkSecurityGroup.VpcId'],
  ],
  [
    'subnetIds',
    { ...THEIRS, subnetIds: 'subnet-12345678' },
    ['AgentService.NetworkConfiguration'],
    THEIRS,
  ],
  ['publicIp', { ...THEIRS, publicIp: true }, ['AgentService.NetworkConfiguration'], THEIRS],
  [
    'natGateways',
    { natGateways: 1 },
    ['+Network', 'AgentService.NetworkConfiguration', 'NetworkVpcS3.RouteTableIds'],
  ],
  [
    'availabilityZones',
    { availabilityZones: 'us-east-1b,us-east-1d' },
    [
      'NetworkVpcPublicSubnet1Subnet.AvailabilityZone',
      'NetworkVpcPublicSubnet2Subnet.AvailabilityZone',
    ],
  ],
  ['vpcEndpoints', { vpcEndpoints: true }, ['+Network']],
  ['architecture', { architecture: 'x86_64' }, ['AgentTask.Image', 'AgentTask.RuntimePlatform']],
  ['cpu', { cpu: 1024 }, ['AgentTask.Cpu']],
  [
    'memory',
    { memory: 8192 },
    [
      ...['AgentTask.Memory', 'Parameters.CallsPerTask.Description'],
      'Parameters.CallsPerTask.MaxValue',
    ],
  ],
  [
    'image',
    { image: IMAGE },
    ['AgentRolesExecutionDefaultPolicy.PolicyDocument', 'AgentTask.Image'],
  ],
  ['baseImage', { baseImage: 'node:24' }, ['AgentTask.Image']],
  [
    'spot',
    { spot: true },
    [
      ...['+AgentCapacityProviders'],
      ...['AgentService.CapacityProviderStrategy', 'AgentService.LaunchType'],
      'AgentService.PlatformVersion',
    ],
  ],
  ['stopTimeoutSeconds', { stopTimeoutSeconds: 60 }, [ENVIRONMENT, 'AgentTask.StopTimeout']],
  ['minTasks', { minTasks: 2 }, ['Parameters.MinTasks.Default']],
  ['maxTasks', { maxTasks: 1 }, ['Parameters.MaxTasks.Default']],
  ['callsPerTask', { callsPerTask: 5 }, ['Parameters.CallsPerTask.Default']],
  [
    'callsPerProcess',
    { callsPerProcess: 1 },
    [...[ENVIRONMENT, 'Parameters.CallsPerTask.Description'], 'Parameters.CallsPerTask.MaxValue'],
  ],
  [
    'targetSlotUtilization',
    { targetSlotUtilization: 50 },
    ['Parameters.TargetSlotUtilization.Default'],
  ],
  [
    'schedules',
    { schedules: [{ cron: '0 8 ? * *', minTasks: 1, maxTasks: 2 }] },
    ['AgentServiceTaskCountTarget.ScheduledActions', 'Alarms'],
  ],
  [
    'ecsExec',
    { ecsExec: true },
    [
      ...['AgentCluster.Configuration', 'AgentService.EnableExecuteCommand'],
      ...[
        'AgentRolesTaskDefaultPolicy.PolicyDocument',
        'AgentTask.MountPoints',
        'AgentTask.Volumes',
      ],
    ],
  ],
  // Not in the template: the CLI turns it on.
  ['terminationProtection', { terminationProtection: true }, []],
  [
    'traces',
    { traces: 'xray' },
    [
      ...['+AgentTaskTraces', 'AgentTask.DependsOn', 'AgentTask.Environment'],
      // The collector's memory is not for calls.
      ...['Parameters.CallsPerTask.Description', 'Parameters.CallsPerTask.MaxValue'],
    ],
  ],
  [
    'tracePercent',
    { traces: 'https://otlp.example.com', tracePercent: 10 },
    [ENVIRONMENT],
    { traces: 'https://otlp.example.com' },
  ],
  ['tenantMetadataKey', { tenantMetadataKey: 'tenant' }, [ENVIRONMENT]],
  [
    'serviceLevelPercent',
    { serviceLevelPercent: 95 },
    [
      ...['+MonitoringAlarmsAnswerBudgetBurning', '+MonitoringAlarmsReplyBudgetBurning'],
      'MonitoringDashboard',
    ],
  ],
  [
    'monthlyBudgetUsd',
    { monthlyBudgetUsd: 500, alarmEmail: 'a@example.com' },
    ['+MonthlyBudget'],
    { alarmEmail: 'a@example.com' },
  ],
  [
    'bakeMinutes',
    { bakeMinutes: 0 },
    ['-DeploymentAlarms', 'AgentService.DeploymentConfiguration'],
  ],
  [
    'syntheticCallMinutes',
    { syntheticCallMinutes: 15 },
    ['+MonitoringAlarmsSyntheticCallsFailing', '+SyntheticCall', 'MonitoringDashboard'],
  ],
  ['alarmEmail', { alarmEmail: 'ops@example.com' }, ['+MonitoringAlarmTopic', 'Alarms']],
  [
    'logRetentionDays',
    { logRetentionDays: 7 },
    [
      ...['Log.RetentionInDays', 'MonitoringTaskCrashesLog.RetentionInDays'],
      'NetworkFlowLog.RetentionInDays',
    ],
  ],
  ['logKmsKey', { logKmsKey: KEY }, ['Log.KmsKeyId']],
  ['logLevel', { logLevel: 'debug' }, [ENVIRONMENT]],
  ['containerInsights', { containerInsights: 'on' }, ['AgentCluster.ClusterSettings']],
  ['environment', { environment: '{"END_CALL_TIMEOUT_S":20}' }, [ENVIRONMENT]],
  ['metricsNamespace', { metricsNamespace: 'Calls' }, [...OF_METRICS, ENVIRONMENT]],
  ['priceAudioInPerM', { priceAudioInPerM: 4 }, [ENVIRONMENT]],
  ['priceAudioOutPerM', { priceAudioOutPerM: 4 }, [ENVIRONMENT]],
  ['priceTextInPerM', { priceTextInPerM: 4 }, [ENVIRONMENT]],
  ['priceTextOutPerM', { priceTextOutPerM: 4 }, [ENVIRONMENT]],
];

type Part = Record<string, Record<string, unknown>>;

/** The parts of a template by readable names: resources' properties, those of the container apart, parameters, outputs. */
function partsOf(context: Context): Part {
  const { Resources, Parameters, Outputs } = templateWith(context).toJSON();
  const parts: Part = {};
  for (const [id, { Type, Properties = {} }] of Object.entries<Part[string]>(Resources)) {
    const { ContainerDefinitions: [container] = [], ...properties } = Properties as {
      ContainerDefinitions?: object[];
    };
    const name = id.replace(/[0-9A-F]{8}$/, '');
    parts[parts[name] ? `${name} ${Type}` : name] = { ...properties, ...container };
  }
  for (const [id, part] of Object.entries<object>(Parameters))
    parts[`Parameters.${id}`] = { ...part };
  for (const [id, part] of Object.entries<object>(Outputs)) parts[`Outputs.${id}`] = { ...part };
  return parts;
}

/** What is many of a kind is one word here. */
function short(name: string): string {
  return name
    .replace(/^MonitoringAlarms\w+\..*/, 'Alarms')
    .replace(/^([+-]?(?:DeploymentAlarms|SyntheticCall))\w+.*/, '$1')
    .replace(/^([+-]Network|[+-]MonitoringAlarmTopic|MonitoringQueries)\w+.*/, '$1')
    .replace(/^(MonitoringDashboard|Scaling(?:Calls|Rush)\w*)\..*/, '$1');
}

function changes(from: Context, to: Context): string[] {
  const [before, after] = [partsOf(from), partsOf(to)];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((id) => {
    const [a, b] = [before[id], after[id]];
    if (!a || !b) return `${a ? '-' : '+'}${id}`;
    return [...new Set([...Object.keys(a), ...Object.keys(b)])]
      .filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))
      .map((key) => `${id}.${key}`);
  });
  return [...new Set(names.map(short))].sort();
}

test.each(TABLE)('%s changes only the expected resources', (_setting, change, moves, from = {}) => {
  expect(changes(from, change)).toEqual([...moves].sort());
});

test('every setting is in the table', () => {
  expect(TABLE.map(([setting]) => setting).sort()).toEqual([...SETTING_NAMES].sort());
});

const effectOf = (setting: string) => settingDetails(setting as keyof Settings).change;

// Old tasks have calls when CloudFormation deletes what the new template does not have: they need its routes.
test('a setting that takes the network of the stack away is documented as ending calls', () => {
  const takes = TABLE.flatMap(([setting, , moves]) =>
    moves.includes('-Network') ? [setting] : [],
  );
  expect(takes.map(effectOf)).toEqual(takes.map(() => 'movesNetwork'));
  expect(takes).toHaveLength(1);
  // There and back again.
  expect(changes({ natGateways: 1 }, {})).toContain('-Network');
  expect(settingDetails('natGateways').meaning).toContain('**Back to 0 ends live calls**');
});

// CloudFormation makes the new subnet before it deletes the old one, and two of a VPC cannot have the same addresses.
test('a setting that replaces a subnet by one with the same addresses is documented as not for a stack that exists', () => {
  const replaces = TABLE.flatMap(([setting, , moves]) =>
    moves.some((name) => name.endsWith('Subnet.AvailabilityZone')) &&
    !moves.some((name) => name.endsWith('Subnet.CidrBlock'))
      ? [setting]
      : [],
  );
  expect(replaces.map(effectOf)).toEqual(replaces.map(() => 'newNetworkOnly'));
  expect(replaces).toHaveLength(1);
});

// Another name is another stack; turning Spot on or off replaces the service itself; the network is above.
test.each(TABLE.filter(([setting]) => !/^(name|spot|vpcId|availabilityZones)$/.test(setting)))(
  '%s is documented as replacing tasks if it does',
  (setting, _change, moves) => {
    const replaces = moves.some((name) =>
      /^Agent(Task|Service)\.(?!DeploymentConfiguration)/.test(name),
    );
    expect([setting, effectOf(setting) === 'replacesTasks']).toEqual([setting, replaces]);
  },
);
