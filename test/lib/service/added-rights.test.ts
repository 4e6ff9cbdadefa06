// SPDX-License-Identifier: Apache-2.0

// Long because everything that can be added to a task stands here with its right.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, jest, test } from '@jest/globals';
import { Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import {
  Cluster,
  ContainerDefinition,
  ContainerImage,
  EnvironmentFile,
  FargateService,
  FargateTaskDefinition,
  FirelensConfigFileType,
  FirelensLogRouterType,
  LogDrivers,
  Secret,
  ServiceManagedVolume,
  UlimitName,
} from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { Secret as ManagedSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Size, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import fc from 'fast-check';
import { secretReference } from '../../../lib/access/container-secret.js';
import * as lib from '../../../lib/index.js';
import { flat, foreignApp, resources, stackOf, statements, templateOf } from '../synth.js';

const LIB = fileURLToPath(new URL('../../../lib', import.meta.url));

interface Right {
  Action: string[];
  Resource: string[];
  Condition?: unknown;
}

interface Built {
  stack: Stack;
  agent: lib.VoiceAgentService;
}

/** @param scope for constructs of its own  @param id for what is added to the agent */
type Add = (agent: lib.VoiceAgentService, scope: Construct, id: string) => void;

function build(add: Add, props = {}): Built {
  let agent: lib.VoiceAgentService | undefined;
  const stack = stackOf((scope) => {
    agent = new lib.VoiceAgentService(scope, 'Agent', props);
    add(agent, scope, 'Collector');
  });
  return { stack, agent: agent as lib.VoiceAgentService };
}

/** A condition with its expressions on one line each. */
const flatCondition = (condition: unknown): unknown =>
  Object.fromEntries(
    Object.entries(condition as Record<string, Record<string, unknown>>).map(([test, values]) => [
      test,
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, flat(value)])),
    ]),
  );

/** The permissions of a role. */
const rightsOf = ({ stack }: Built, role: 'Execution' | 'Task'): Right[] =>
  statements(templateOf(stack))
    .filter(({ owner, Principal }) => owner.startsWith(`AgentRoles${role}`) && !Principal)
    .map(({ Action, Resource, Condition }) => ({
      Action,
      Resource: Resource.map(flat),
      ...(Condition ? { Condition: flatCondition(Condition) } : {}),
    }));

const plain = build(() => {});
const LOG_RIGHTS = ['logs:CreateLogStream', 'logs:PutLogEvents'];
const PULL_RIGHTS = [
  ...['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
];

/** What ECS may do more than without what was added; statements that were there may have more resources. */
function added(built: Built, role: 'Execution' | 'Task' = 'Execution'): Right[] {
  const before = new Map(rightsOf(plain, role).map((right) => [right.Action.join(), right]));
  return rightsOf(built, role).flatMap((right) => {
    const { Resource = [], Condition } = before.get(right.Action.join()) ?? {};
    const more = right.Resource.filter((arn) => !Resource.includes(arn));
    if (more.length > 0) return [{ ...right, Resource: more }];
    return JSON.stringify(Condition) === JSON.stringify(right.Condition) ? [] : [right];
  });
}

const image = ContainerImage.fromRegistry('public.ecr.aws/aws-observability/collector');
const account = '<AWS::Region>:<AWS::AccountId>';

const KEYS = {
  files: 'arn:aws:kms:us-east-1:111122223333:key/3',
  router: 'arn:aws:kms:us-east-1:111122223333:key/4',
  registry: 'arn:aws:kms:us-east-1:111122223333:key/5',
};
const bucketWithKey = (scope: Construct, bucketName: string, key: string) =>
  Bucket.fromBucketAttributes(scope, 'B', {
    bucketName,
    encryptionKey: Key.fromKeyArn(scope, 'K', key),
  });
/** The right to decrypt with a key on behalf of a service. */
const decrypts = (key: string, service: string): Right => ({
  Action: ['kms:Decrypt'],
  Resource: [key],
  Condition: { StringEquals: { 'kms:ViaService': `${service}.amazonaws.com` } },
});

/** Everything that can be added to a task and needs a right, and exactly this right. */
const NEEDS: Record<string, [add: Add, rights: Right[]]> = {
  'a secret by its name': [
    (agent, scope) =>
      agent.container.addSecret(
        'WEATHER_API_KEY',
        Secret.fromSecretsManager(ManagedSecret.fromSecretNameV2(scope, 'S', 'weather'), 'key'),
      ),
    [
      {
        Action: ['secretsmanager:GetSecretValue'],
        Resource: ['weather', 'weather-??????'].map(
          (name) => `arn:<AWS::Partition>:secretsmanager:${account}:secret:${name}`,
        ),
      },
    ],
  ],
  'a secret with its own key': [
    (agent, scope) =>
      agent.container.addSecret(
        'CRM_TOKEN',
        Secret.fromSecretsManager(
          ManagedSecret.fromSecretAttributes(scope, 'S', {
            secretCompleteArn: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:crm-AbCdEf',
            encryptionKey: Key.fromKeyArn(scope, 'K', 'arn:aws:kms:us-east-1:111122223333:key/1'),
          }),
        ),
      ),
    [
      {
        Action: ['secretsmanager:GetSecretValue'],
        Resource: ['arn:aws:secretsmanager:us-east-1:111122223333:secret:crm-AbCdEf'],
      },
      {
        Action: ['kms:Decrypt'],
        Resource: ['arn:aws:kms:us-east-1:111122223333:key/1'],
        Condition: {
          StringEquals: { 'kms:ViaService': 'secretsmanager.us-east-1.amazonaws.com' },
        },
      },
    ],
  ],
  'one of our own references to a secret, with its key': [
    (agent, scope) =>
      agent.container.addSecret(
        'ORDERS_TOKEN',
        new lib.ContainerSecret(
          scope,
          secretReference(scope, 'orders'),
          undefined,
          'arn:aws:kms:eu-west-1:111122223333:key/2',
        ),
      ),
    [
      {
        Action: ['secretsmanager:GetSecretValue'],
        Resource: ['orders', 'orders-??????'].map(
          (name) => `arn:<AWS::Partition>:secretsmanager:${account}:secret:${name}`,
        ),
      },
      {
        Action: ['kms:Decrypt'],
        Resource: ['arn:aws:kms:eu-west-1:111122223333:key/2'],
        Condition: {
          StringEquals: { 'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com' },
        },
      },
    ],
  ],
  'a parameter of the Parameter Store': [
    (agent, scope) =>
      agent.container.addSecret(
        'ORDERS_URL',
        Secret.fromSsmParameter(
          StringParameter.fromSecureStringParameterAttributes(scope, 'P', {
            parameterName: '/orders/url',
          }),
        ),
      ),
    [
      {
        Action: ['ssm:GetParameters'],
        Resource: [`arn:<AWS::Partition>:ssm:${account}:parameter/orders/url`],
      },
    ],
  ],
  'a second container from a repository, with a log of its own': [
    (agent, scope, id) =>
      agent.taskDefinition.addContainer(id, {
        image: ContainerImage.fromEcrRepository(
          Repository.fromRepositoryName(scope, 'R', 'our-collector'),
        ),
        logging: LogDrivers.awsLogs({ streamPrefix: 'collector' }),
      }),
    [
      {
        Action: PULL_RIGHTS,
        Resource: [`arn:<AWS::Partition>:ecr:${account}:repository/our-collector`],
      },
      {
        Action: LOG_RIGHTS,
        Resource: [expect.stringMatching(/^<AgentTaskCollector\d*LogGroup\w+\.Arn>$/) as never],
      },
    ],
  ],
  'an environment file': [
    (agent, scope, id) =>
      agent.taskDefinition.addContainer(id, {
        image,
        environmentFiles: [
          EnvironmentFile.fromBucket(Bucket.fromBucketName(scope, 'B', 'cfg'), 'c.env'),
        ],
      }),
    [
      { Action: ['s3:GetObject'], Resource: ['arn:<AWS::Partition>:s3:::cfg/c.env'] },
      { Action: ['s3:GetBucketLocation'], Resource: ['arn:<AWS::Partition>:s3:::cfg'] },
    ],
  ],
  'an environment file of a bucket with its own key': [
    (agent, scope, id) =>
      agent.taskDefinition.addContainer(id, {
        image,
        environmentFiles: [
          EnvironmentFile.fromBucket(bucketWithKey(scope, 'secret-cfg', KEYS.files), 'c.env'),
        ],
      }),
    [
      { Action: ['s3:GetObject'], Resource: ['arn:<AWS::Partition>:s3:::secret-cfg/c.env'] },
      { Action: ['s3:GetBucketLocation'], Resource: ['arn:<AWS::Partition>:s3:::secret-cfg'] },
      decrypts(KEYS.files, 's3.<AWS::Region>'),
    ],
  ],
  'a file of the log router in a bucket with its own key': [
    (agent, scope, id) =>
      agent.taskDefinition.addFirelensLogRouter(id, {
        image,
        firelensConfig: {
          type: FirelensLogRouterType.FLUENTBIT,
          options: {
            configFileType: FirelensConfigFileType.S3,
            configFileValue: bucketWithKey(scope, 'secret-router', KEYS.router).arnForObjects(
              'fluent.conf',
            ),
          },
        },
      }),
    [
      {
        Action: ['s3:GetObject'],
        Resource: ['arn:<AWS::Partition>:s3:::secret-router/fluent.conf'],
      },
      { Action: ['s3:GetBucketLocation'], Resource: ['arn:<AWS::Partition>:s3:::secret-router'] },
      decrypts(KEYS.router, 's3.<AWS::Region>'),
    ],
  ],
  'credentials of a private registry, with their own key': [
    (agent, scope, id) =>
      agent.taskDefinition.addContainer(id, {
        image: ContainerImage.fromRegistry('registry.test/other', {
          credentials: ManagedSecret.fromSecretAttributes(scope, 'S', {
            secretCompleteArn: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:other-AbCdEf',
            encryptionKey: Key.fromKeyArn(scope, 'K', KEYS.registry),
          }),
        }),
      }),
    [
      {
        Action: ['secretsmanager:GetSecretValue'],
        Resource: ['arn:aws:secretsmanager:us-east-1:111122223333:secret:other-AbCdEf'],
      },
      decrypts(KEYS.registry, 'secretsmanager.us-east-1'),
    ],
  ],
  'a secret of the log driver': [
    (agent, scope, id) =>
      agent.taskDefinition.addContainer(id, {
        image,
        logging: LogDrivers.splunk({
          url: 'https://splunk.test',
          secretToken: Secret.fromSecretsManager(
            ManagedSecret.fromSecretCompleteArn(
              scope,
              'S',
              'arn:aws:secretsmanager:us-east-1:111122223333:secret:splunk-AbCdEf',
            ),
          ),
        }),
      }),
    [
      {
        Action: ['secretsmanager:GetSecretValue'],
        Resource: ['arn:aws:secretsmanager:us-east-1:111122223333:secret:splunk-AbCdEf'],
      },
    ],
  ],
  'credentials of a private registry': [
    (agent, scope, id) =>
      agent.taskDefinition.addContainer(id, {
        image: ContainerImage.fromRegistry('registry.test/collector', {
          credentials: ManagedSecret.fromSecretCompleteArn(
            scope,
            'S',
            'arn:aws:secretsmanager:us-east-1:111122223333:secret:registry-AbCdEf',
          ),
        }),
      }),
    [
      {
        Action: ['secretsmanager:GetSecretValue'],
        Resource: ['arn:aws:secretsmanager:us-east-1:111122223333:secret:registry-AbCdEf'],
      },
    ],
  ],
  'a statement for the execution role': [
    (agent) =>
      agent.taskDefinition.addToExecutionRolePolicy(
        new PolicyStatement({ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::cfg/*'] }),
      ),
    [{ Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::cfg/*'] }],
  ],
  'a statement through the container': [
    (agent) =>
      agent.container.addToExecutionPolicy(
        new PolicyStatement({ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::cfg/*'] }),
      ),
    [{ Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::cfg/*'] }],
  ],
};

/** What can be added and needs no right. */
const NEEDLESS: Record<string, Add> = {
  'variables, labels, ports and limits': ({ container }) => {
    container.addEnvironment('A', 'b');
    container.addDockerLabel('a', 'b');
    container.addPortMappings({ containerPort: 9090 });
    container.addUlimits({ name: UlimitName.NOFILE, softLimit: 4096, hardLimit: 4096 });
  },
  'a folder of the task': ({ container }) =>
    container.addScratch({
      ...{ name: 'scratch', containerPath: '/scratch', readOnly: false, sourcePath: '' },
    }),
  'a container from a public registry': ({ container, taskDefinition }, _scope, id) => {
    const other = taskDefinition.addContainer(id, { image });
    other.addContainerDependencies({ container });
    other.addVolumesFrom({ sourceContainer: 'Agent', readOnly: true });
  },
  'a volume, and who may connect': ({ service }, scope) => {
    service.addVolume(
      new ServiceManagedVolume(scope, 'Ebs', {
        name: 'ebs',
        managedEBSVolume: { size: Size.gibibytes(10) },
      }),
    );
    service.connections.allowFrom(
      new SecurityGroup(scope, 'Group', { vpc: service.cluster.vpc }),
      Port.tcp(9090),
    );
  },
};

describe('what is added to a task', () => {
  test.each(Object.entries(NEEDS))('gives ECS exactly the right for %s', (_what, [add, rights]) => {
    const built = build(add);
    const byAction = (a: Right, b: Right) => a.Action.join().localeCompare(b.Action.join());
    expect(added(built).sort(byAction)).toEqual([...rights].sort(byAction));
    expect(added(built, 'Task')).toEqual([]);
  });

  /** One by one, so that it does not matter which statements the CDK merges. */
  const pairs = (rights: Right[]): unknown[] =>
    rights.flatMap(({ Action, Resource, Condition }) =>
      Action.flatMap((action) => Resource.map((arn) => [action, arn, Condition])),
    );

  test('gives ECS the rights for any of it together, in any order, and no other', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(Object.entries(NEEDS), { minLength: 2 }),
        fc.shuffledSubarray(Object.values(NEEDLESS), { minLength: 1 }),
        (needs, needless) => {
          const built = build((agent, scope) => {
            for (const [at, add] of [...needless, ...needs.map(([, [needed]]) => needed)].entries())
              add(agent, new Construct(scope, `Own${at}`), `Collector${at}`);
          });
          const found = pairs(added(built));
          const asked = pairs(needs.flatMap(([, [, rights]]) => rights));
          expect(found).toEqual(expect.arrayContaining(asked));
          for (const one of found) expect(asked).toContainEqual(one);
          expect(added(built, 'Task')).toEqual([]);
        },
      ),
      { numRuns: 10 },
    );
  });

  test('is in the policy once, also in an app whose policies the CDK does not minimize', () => {
    const stack = new Stack(foreignApp(), 'theirs');
    const agent = new lib.VoiceAgentService(stack, 'Agent');
    for (const { Action, Resource } of rightsOf({ stack, agent }, 'Execution'))
      expect([Action, [...new Set(Resource)]]).toEqual([Action, Resource]);
  });

  test('may be decrypted with the key of a bucket of the same app', () => {
    const built = build((agent, scope, id) =>
      agent.taskDefinition.addContainer(id, {
        image,
        environmentFiles: [
          EnvironmentFile.fromBucket(
            new Bucket(scope, 'B', { encryption: BucketEncryption.KMS }),
            'c.env',
          ),
        ],
      }),
    );
    expect(added(built)).toContainEqual(
      decrypts(expect.stringMatching(/^<BKey\w+\.Arn>$/) as never, 's3.<AWS::Region>'),
    );
  });

  test('has its right when the first task starts', () => {
    const { stack } = build(() => {});
    const [[, service] = []] = resources(templateOf(stack), 'AWS::ECS::Service');
    expect(service?.DependsOn).toEqual(
      expect.arrayContaining([expect.stringMatching(/^AgentRolesExecutionDefaultPolicy/)]),
    );
  });

  test('is granted to an execution role of the user, too', () => {
    const { stack } = buildWithRoles(NEEDS['a secret by its name']?.[0] ?? (() => {}));
    const theirs = statements(templateOf(stack)).filter(
      ({ owner, Principal }) => owner.startsWith('TheirsDefaultPolicy') && !Principal,
    );
    const actions = theirs.flatMap(({ Action }) => Action);
    expect(actions).toEqual(
      expect.arrayContaining([
        ...['bedrock:InvokeModel', 'ecs:UpdateTaskProtection'],
        ...['ecr:BatchGetImage', 'logs:PutLogEvents', 'secretsmanager:GetSecretValue'],
      ]),
    );
    const named = theirs.flatMap(({ Resource }) => Resource.map(flat));
    expect(named.join()).toMatch(/secret:nova-sonic-agent\/livekit-\?{6}.*secret:weather-\?{6}/);
  });

  test('is refused when it sets a variable a second time', () => {
    const { stack } = build((agent, scope) => {
      agent.container.addEnvironment('WEATHER_API_KEY', 'x');
      agent.container.addSecret(
        'WEATHER_API_KEY',
        Secret.fromSecretsManager(ManagedSecret.fromSecretNameV2(scope, 'S', 'weather')),
      );
    });
    expect(() => templateOf(stack)).toThrow(
      'The container "Agent" sets WEATHER_API_KEY twice, as a variable or a secret, which ECS refuses: remove one of them.',
    );
  });
});

function buildWithRoles(add: Add): Built {
  let agent: lib.VoiceAgentService | undefined;
  const stack = stackOf((scope) => {
    const role = new Role(scope, 'Theirs', {
      assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'),
    });
    agent = new lib.VoiceAgentService(scope, 'Agent', { taskRole: role, executionRole: role });
    add(agent, scope, 'Collector');
  });
  return { stack, agent: agent as lib.VoiceAgentService };
}

/**
 * The methods that add to or grant on what a service makes public. Each needs no right of ECS or of the container, or is in
 * NEEDS; a new one of the CDK fails the test until somebody has looked at it.
 */
const METHODS: Record<string, Record<string, string>> = {
  ContainerDefinition: {
    addSecret: 'NEEDS',
    addToExecutionPolicy: 'NEEDS',
    addContainerDependencies: 'order of start',
    addDockerLabel: 'label',
    addEnvironment: 'value',
    addHostPortIfNeeded: 'port; private',
    addInferenceAcceleratorResource: 'not on Fargate',
    addLink: 'not on Fargate',
    addMountPoints: 'volume of the task',
    addPortMappings: 'port',
    addScratch: 'volume of the task',
    addUlimits: 'limit',
    addVolumesFrom: 'volume of the task',
  },
  FargateTaskDefinition: {
    addContainer: 'NEEDS',
    addToExecutionRolePolicy: 'NEEDS',
    addToTaskRolePolicy: 'is the right',
    addFirelensLogRouter: 'NEEDS',
    addExtension: 'calls the others',
    addInferenceAccelerator: 'not on Fargate',
    addPlacementConstraint: 'not on Fargate',
    addVolume: 'of the code, for EFS: task-definition-checks.test.ts',
    grantRun: 'a right of the grantee',
  },
  FargateService: {
    addLifecycleHook: 'has a role of its own',
    addServiceRegistry: 'registry; protected',
    addVolume: 'has a role of its own',
  },
  Cluster: {
    addAsgCapacityProvider: 'not Fargate',
    addAutoScalingGroup: 'not Fargate',
    addCapacity: 'not Fargate',
    addCapacityProvider: 'capacity; old name',
    addDefaultCapacityProviderStrategy: 'capacity',
    addDefaultCloudMapNamespace: 'namespace',
    addExistingDefaultCloudMapNamespace: 'namespace',
    addManagedInstancesCapacityProvider: 'not Fargate',
    grantTaskProtection: 'a right of the grantee',
  },
  NovaSonicAccess: { grantInvoke: 'a right of the grantee' },
};

describe('the methods that add and grant', () => {
  const methodsOf = (type: { prototype: object }): string[] => {
    const names = new Set<string>();
    for (
      let proto: object | null = type.prototype;
      proto && proto !== Construct.prototype;
      proto = Object.getPrototypeOf(proto)
    ) {
      for (const name of Object.getOwnPropertyNames(proto)) names.add(name);
    }
    return [...names].filter((name) => /^(add|grant)[A-Z]/.test(name)).sort();
  };

  test('of what a service makes public are all known', () => {
    const types = { ContainerDefinition, FargateTaskDefinition, FargateService, Cluster };
    for (const [name, type] of Object.entries(types)) {
      expect([name, methodsOf(type)]).toEqual([name, Object.keys(METHODS[name] ?? {}).sort()]);
    }
  });

  test('that need a right are all called in NEEDS', () => {
    const types = { ContainerDefinition, FargateTaskDefinition };
    const needed = Object.entries(types).flatMap(([type, { prototype }]) =>
      Object.entries(METHODS[type] ?? {}).flatMap(([name, reason]) =>
        reason === 'NEEDS'
          ? [
              {
                name: `${type}.${name}`,
                spy: jest.spyOn(prototype as unknown as Record<string, () => void>, name),
              },
            ]
          : [],
      ),
    );
    const { agent, stack } = build(() => {});
    for (const { spy } of needed) spy.mockClear();
    for (const [at, [add]] of Object.values(NEEDS).entries())
      add(agent, new Construct(stack, `Own${at}`), `Collector${at}`);
    const called = needed.filter(({ spy }) => spy.mock.calls.length > 0);
    expect(called.map(({ name }) => name)).toEqual(needed.map(({ name }) => name));
    jest.restoreAllMocks();
  });

  test('of our classes are all known', () => {
    const source = readdirSync(LIB, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(LIB, name), 'utf8'))
      .join();
    const found = Object.values(lib as Record<string, unknown>).flatMap((value) =>
      typeof value === 'function' && value.prototype
        ? Object.getOwnPropertyNames(value.prototype)
            .filter((method) => /^(add|grant)[A-Z]/.test(method))
            .filter((method) => !source.includes(`private ${method}(`))
            .map((method) => `${value.name}.${method}`)
        : [],
    );
    // A schedule and an alarm of deployments need no right; call-traces.test.ts and nova-sonic-access.test.ts have those of
    // the collector and of the model, NEEDS that of a secret.
    expect([...new Set(found)].sort()).toEqual([
      'CallScaling.addSchedule',
      'CallTraces.addCollector',
      'ContainerSecret.grantRead',
      'NovaSonicAccess.grantInvoke',
      'VoiceAgentService.addDeploymentAlarms',
    ]);
  });

  test('without a right of their own leave the roles as they are', () => {
    const built = build((agent, scope) => {
      for (const add of Object.values(NEEDLESS)) add(agent, scope, 'Other');
    });
    expect(added(built)).toEqual([]);
    expect(added(built, 'Task')).toEqual([]);
  });

  test('a statement for the code is the right of the code', () => {
    const statement = { actions: ['dynamodb:GetItem'], resources: ['arn:aws:dynamodb:::table/a'] };
    const built = build(({ taskDefinition }) =>
      taskDefinition.addToTaskRolePolicy(new PolicyStatement(statement)),
    );
    expect(added(built)).toEqual([]);
    expect(added(built, 'Task')).toEqual([
      { Action: statement.actions, Resource: statement.resources },
    ]);
  });
});
