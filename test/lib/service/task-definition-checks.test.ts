// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { type ContainerDefinitionOptions, ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import { flat, stackOf, statements, templateOf } from '../synth.js';

const image = ContainerImage.fromRegistry('public.ecr.aws/theirs/collector');

const build = (add: (agent: VoiceAgentService) => void, props = {}) =>
  stackOf((scope) => add(new VoiceAgentService(scope, 'Agent', { image, ...props })));

const sidecar = (options: Partial<ContainerDefinitionOptions>, props = {}) =>
  build(
    ({ taskDefinition }) => taskDefinition.addContainer('Collector', { image, ...options }),
    props,
  );

describe('a volume in EFS', () => {
  const grants = (iam: 'ENABLED' | 'DISABLED', mounts: boolean[], accessPointId?: string) =>
    statements(
      templateOf(
        build(({ taskDefinition, container }) => {
          taskDefinition.addVolume({
            name: 'shared',
            efsVolumeConfiguration: {
              fileSystemId: 'fs-0a1b2c3d',
              transitEncryption: 'ENABLED',
              authorizationConfig: { iam, ...(accessPointId && { accessPointId }) },
            },
          });
          for (const [at, readOnly] of mounts.entries())
            container.addMountPoints({
              ...{ sourceVolume: 'shared', containerPath: `/shared${at}`, readOnly },
            });
        }),
      ),
    )
      .filter(({ Action }) => Action.join().includes('elasticfilesystem'))
      .map(({ owner, Action, Resource, Condition }) => ({
        owner: owner.replace(/\w{8}$/, ''),
        Action,
        Resource: Resource.map(flat),
        Condition: Condition && flat(Object.values(Object(Condition).StringEquals)[0]),
      }));
  const arn = (what: string) =>
    `arn:<AWS::Partition>:elasticfilesystem:<AWS::Region>:<AWS::AccountId>:${what}`;
  const mount = {
    owner: 'AgentRolesTaskDefaultPolicy',
    Action: ['elasticfilesystem:ClientMount'],
    Resource: [arn('file-system/fs-0a1b2c3d')],
    Condition: undefined,
  };
  const write = {
    ...mount,
    Action: ['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite'],
  };

  test('that asks IAM may be mounted by the code, and written to where a mount is not read-only', () => {
    expect(grants('ENABLED', [true])).toEqual([mount]);
    expect(grants('ENABLED', [true, false])).toEqual([write]);
    expect(grants('ENABLED', [false], 'fsap-1')).toEqual([
      { ...write, Condition: arn('access-point/fsap-1') },
    ]);
  });

  test('that does not ask IAM, or that nothing mounts, needs no right', () => {
    expect(grants('DISABLED', [false])).toEqual([]);
    expect(grants('ENABLED', [])).toEqual([]);
  });
});

describe('what ECS would refuse is refused at synth', () => {
  const failure = (stack: ReturnType<typeof build>) => () => templateOf(stack);

  test('a volume that the task does not have', () => {
    const stack = build(({ container }) =>
      container.addMountPoints({ sourceVolume: 'cache', containerPath: '/c', readOnly: true }),
    );
    expect(failure(stack)).toThrow(
      'The container "Agent" mounts the volume "cache", which the task does not have: add it with addVolume.',
    );
  });

  test('volumes of a container that is not there', () => {
    const stack = build(({ container }) =>
      container.addVolumesFrom({ sourceContainer: 'Colector', readOnly: true }),
    );
    expect(failure(stack)).toThrow(
      'The container "Agent" has the volumes of "Colector", which the task does not have: add that container.',
    );
  });

  test('more memory for containers than the task has', () => {
    const callsPerTask = 1;
    expect(failure(sidecar({ memoryLimitMiB: 4096 }, { callsPerTask }))).not.toThrow();
    for (const options of [{ memoryLimitMiB: 4097 }, { memoryReservationMiB: 4097 }])
      expect(failure(sidecar(options, { callsPerTask }))).toThrow(
        'The containers of a task are promised 4097 MiB and "memory" is 4096: raise it, or lower what they may take.',
      );
  });
});

test('calls must fit beside the containers that were added', () => {
  const calls = (memoryLimitMiB: number) => () => templateOf(sidecar({ memoryLimitMiB }));
  // Ten calls take 1000 MiB, and as much is for a process that grows.
  expect(calls(2096)).not.toThrow();
  expect(calls(2097)).toThrow(
    '"callsPerTask" cannot be 10 with "memory" 4096, of which other containers take 2097: 10 calls take 300 + 2 x 150 + 10 x 40 = 1000 MiB, and half of the memory is for a process that grows, so lower it to 9 or raise "memory".',
  );
});
