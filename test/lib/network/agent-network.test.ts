// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';

import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Stack } from 'aws-cdk-lib/core';
import { AgentNetwork, type AgentNetworkProps } from '../../../lib/network/agent-network.js';
import {
  annotationsOf,
  flat,
  Match,
  newApp,
  only,
  resources,
  stackOf,
  stackWith,
  templateOf,
  templateWith,
} from '../synth.js';

const THEIRS = {
  vpcId: 'vpc-0123456789abcdef0',
  subnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
};
const placement = (context = {}) =>
  only(templateWith(context), 'AWS::ECS::Service').NetworkConfiguration.AwsvpcConfiguration;

describe('a new VPC', () => {
  test('has two public subnets and nothing that costs by the hour', () => {
    const template = templateWith();
    template.resourceCountIs('AWS::EC2::Subnet', 2);
    template.resourceCountIs('AWS::EC2::NatGateway', 0);
    template.resourceCountIs('AWS::EC2::EIP', 0);
    template.resourceCountIs('AWS::Lambda::Function', 0);
    expect(
      resources(template, 'AWS::EC2::VPCEndpoint').map(
        ([, { Properties }]) => Properties.VpcEndpointType,
      ),
    ).toEqual(['Gateway']);
  });

  test('gives tasks public addresses that nothing can connect to', () => {
    expect(placement().AssignPublicIp).toBe('ENABLED');
    const group = only(templateWith(), 'AWS::EC2::SecurityGroup');
    expect(group).not.toHaveProperty('SecurityGroupIngress');
    expect(group.GroupDescription).toMatch(/^Voice agent: no inbound rule; .* and AWS$/);
    for (const [, { Properties }] of resources(templateWith(), 'AWS::EC2::Subnet')) {
      expect(Properties.MapPublicIpOnLaunch).toBe(false);
    }
    expect(group.SecurityGroupEgress).toEqual([
      expect.objectContaining({ CidrIp: '0.0.0.0/0', IpProtocol: '-1' }),
    ]);
  });

  test('is ready before the first task, and until the last one has stopped', () => {
    const dependsOn = (context = {}) =>
      resources(templateWith(context), 'AWS::ECS::Service')[0]?.[1].DependsOn as string[];
    const of = (type: string, context = {}) =>
      resources(templateWith(context), type).map(([id]) => id);
    expect(dependsOn()).toEqual(
      expect.arrayContaining([...of('AWS::EC2::Route'), ...of('AWS::EC2::VPCEndpoint')]),
    );
    const wide = { natGateways: 1, vpcEndpoints: true };
    const endpoints = of('AWS::EC2::VPCEndpoint', wide);
    expect(endpoints).toHaveLength(6);
    expect(dependsOn(wide)).toEqual(expect.arrayContaining(endpoints));
    const toNat = resources(templateWith(wide), 'AWS::EC2::Route')
      .filter(([, { Properties }]) => Properties.NatGatewayId)
      .map(([id]) => id);
    expect(toNat).toHaveLength(2);
    expect(dependsOn(wide)).toEqual(expect.arrayContaining(toNat));
    // A route waits for its gateway.
    for (const [, { Properties, DependsOn }] of resources(templateWith(), 'AWS::EC2::Route')) {
      expect(Properties.GatewayId).toBeDefined();
      expect(DependsOn).toEqual(of('AWS::EC2::VPCGatewayAttachment'));
    }
  });

  test('keeps a log of rejected traffic', () => {
    expect(only(templateWith(), 'AWS::EC2::FlowLog')).toMatchObject({
      TrafficType: 'REJECT',
      LogDestinationType: 'cloud-watch-logs',
    });
  });

  test('moves the tasks to private subnets behind NAT gateways when asked', () => {
    const template = templateWith({ natGateways: 1 });
    template.resourceCountIs('AWS::EC2::NatGateway', 1);
    template.resourceCountIs('AWS::EC2::Subnet', 4);
    expect(placement({ natGateways: 1 })).toMatchObject({ AssignPublicIp: 'DISABLED' });
    expect(placement({ natGateways: 1 }).Subnets.map(flat).join()).toContain('Private');
  });

  test('keeps its public subnets as they are when private ones are added', () => {
    const ranges = (context = {}) =>
      resources(templateWith(context), 'AWS::EC2::Subnet').map(([id, { Properties }]) => [
        id,
        Properties.CidrBlock,
      ]);
    expect(ranges({ natGateways: 1 })).toEqual(expect.arrayContaining(ranges()));
    expect(ranges({ natGateways: 1 }).map(([, range]) => range)).toEqual([
      ...['10.0.0.0/20', '10.0.16.0/20', '10.0.32.0/20', '10.0.48.0/20'],
    ]);
  });

  test('has interface endpoints when asked, open to the tasks alone', () => {
    const template = templateWith({ vpcEndpoints: true });
    const services = resources(template, 'AWS::EC2::VPCEndpoint')
      .map(([, { Properties }]) => flat(Properties.ServiceName))
      .map((name) => name.split('.').slice(3).join('.'))
      .sort();
    expect(services).toEqual([
      'bedrock-runtime',
      'ecr.api',
      'ecr.dkr',
      'logs',
      's3',
      'secretsmanager',
    ]);
    const [, ingress] = resources(template, 'AWS::EC2::SecurityGroupIngress')[0] ?? [];
    expect(ingress?.Properties).toMatchObject({ FromPort: 443, ToPort: 443, IpProtocol: 'tcp' });
    expect(ingress?.Properties).not.toHaveProperty('CidrIp');
    expect(ingress?.Properties.Description).toBe('HTTPS from the voice agent');
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 1);

    const [id, group] =
      resources(template, 'AWS::EC2::SecurityGroup').find(([name]) => name.includes('Endpoint')) ??
      [];
    expect(group?.Properties.GroupDescription).toBe(
      'Interface endpoints of AWS services: HTTPS from the voice agent',
    );
    // CDK's way to say: none.
    expect(group?.Properties.SecurityGroupEgress).toEqual([
      expect.objectContaining({ CidrIp: '255.255.255.255/32' }),
    ]);
    const endpoints = resources(template, 'AWS::EC2::VPCEndpoint').filter(
      ([, { Properties }]) => Properties.VpcEndpointType === 'Interface',
    );
    expect(endpoints.length).toBeGreaterThan(3);
    for (const [, { Properties }] of endpoints) {
      expect((Properties.SecurityGroupIds as unknown[]).map(flat)).toEqual([`<${id}.GroupId>`]);
      expect(Properties.PrivateDnsEnabled).toBe(true);
    }
  });
});

describe('an existing VPC', () => {
  test('is used by its ID, with the subnets named, and nothing is added to it but a security group', () => {
    const template = templateWith(THEIRS);
    template.resourceCountIs('AWS::EC2::VPC', 0);
    template.resourceCountIs('AWS::EC2::Subnet', 0);
    expect(only(template, 'AWS::EC2::SecurityGroup').VpcId).toBe(THEIRS.vpcId);
    expect(placement(THEIRS)).toMatchObject({
      Subnets: THEIRS.subnetIds,
      AssignPublicIp: 'DISABLED',
    });
  });

  test('gives public addresses when its subnets are public', () => {
    expect(placement({ ...THEIRS, publicIp: true }).AssignPublicIp).toBe('ENABLED');
  });

  test('is taken without a warning about the routes of its subnets', () => {
    annotationsOf(stackWith(THEIRS)).hasNoWarning('*', Match.anyValue());
  });

  test('can have the endpoints, too', () => {
    const template = templateWith({ ...THEIRS, vpcEndpoints: true });
    const endpoints = resources(template, 'AWS::EC2::VPCEndpoint');
    expect(endpoints.length).toBeGreaterThan(3);
    for (const [, { Properties }] of endpoints) {
      expect(Properties).toMatchObject({ VpcId: THEIRS.vpcId, SubnetIds: THEIRS.subnetIds });
    }
  });
});

describe('alone in another stack', () => {
  const network = (props: AgentNetworkProps) => () =>
    templateOf(stackOf((scope) => new AgentNetwork(scope, 'Network', props)));

  test('has two zones, also where the account is known and has more', () => {
    const stack = new Stack(newApp(), 'there', {
      env: { account: '111122223333', region: 'us-east-1' },
    });
    new AgentNetwork(stack, 'Network');
    templateOf(stack).resourceCountIs('AWS::EC2::Subnet', 2);
  });

  test('keeps the flow log for a month, and not beyond the stack', () => {
    const log = (props?: AgentNetworkProps) =>
      resources(network(props ?? {})(), 'AWS::Logs::LogGroup')[0]?.[1];
    expect(log()).toMatchObject({ DeletionPolicy: 'Delete', Properties: { RetentionInDays: 30 } });
    expect(log({ flowLogRetention: RetentionDays.ONE_DAY })?.Properties.RetentionInDays).toBe(1);
  });

  test('takes as many NAT gateways as it has zones', () => {
    network({ natGateways: 2 })().resourceCountIs('AWS::EC2::NatGateway', 2);
  });

  test('assigns private addresses in an existing VPC', () => {
    expect(() =>
      stackOf((scope) => {
        const vpc = new Vpc(scope, 'Vpc');
        new AgentNetwork(scope, 'Network', { vpc, assignPublicIp: false });
      }),
    ).not.toThrow();
  });

  test('takes the zones of its subnets', () => {
    const zones = ['us-east-1b', 'us-east-1d', 'us-east-1f'];
    expect(
      resources(network({ availabilityZones: zones })(), 'AWS::EC2::Subnet').map(
        ([, { Properties }]) => Properties.AvailabilityZone,
      ),
    ).toEqual(zones);
    expect(network({ availabilityZones: ['us-east-1a'] })).toThrow(
      new Error('"availabilityZones" cannot be ["us-east-1a"]: name at least 2.'),
    );
  });

  test('takes a range of addresses', () => {
    expect(only(network({ cidr: '172.20.0.0/16' })(), 'AWS::EC2::VPC').CidrBlock).toBe(
      '172.20.0.0/16',
    );
  });

  test('rejects tasks that could not reach the internet', () => {
    expect(network({ assignPublicIp: false })).toThrow(
      new Error(
        '"assignPublicIp" cannot be false with 0 "natGateways": the tasks could not reach LiveKit.',
      ),
    );
  });

  test.each<[AgentNetworkProps, string]>([
    [{ natGateways: 3 }, '"natGateways" cannot be 3: it must be a whole number from 0 to 2.'],
    [
      { subnets: { subnetType: SubnetType.PUBLIC } },
      '"subnets" needs "vpc": a new VPC creates its subnets.',
    ],
  ])('refuses %j', (props, sentence) => {
    expect(network(props)).toThrow(new Error(sentence));
  });

  test.each([{ natGateways: 1 }, { natGateways: 0 }, { cidr: '172.20.0.0/16' }])(
    'refuses %j for a VPC that is not its own',
    (props) => {
      expect(() =>
        stackOf((scope) => {
          const vpc = new Vpc(scope, 'Vpc');
          new AgentNetwork(scope, 'Network', { vpc, ...props });
        }),
      ).toThrow(
        new Error('"natGateways" and "cidr" are for a new VPC and cannot be set with "vpc".'),
      );
    },
  );

  test('uses the private subnets with egress of an existing VPC', () => {
    let network: AgentNetwork | undefined;
    stackOf((scope) => {
      const vpc = new Vpc(scope, 'Vpc', { natGateways: 1 });
      network = new AgentNetwork(scope, 'Network', { vpc });
    });
    expect(network?.subnets).toEqual({ subnetType: SubnetType.PRIVATE_WITH_EGRESS });
    expect(network?.assignPublicIp).toBe(false);
  });

  test('accepts private tasks with a NAT gateway', () => {
    expect(network({ natGateways: 1, assignPublicIp: false })).not.toThrow();
  });
});
