// SPDX-License-Identifier: Apache-2.0

import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type ISecurityGroup,
  type IVpc,
  Port,
  SecurityGroup,
  Subnet,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Annotations, Fn, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct, DependencyGroup } from 'constructs';
import { RANGES, validateRange, ZONES } from '../service-limits.js';

/** AWS services that a task calls, by endpoint name. */
const INTERFACE_ENDPOINTS: Readonly<Record<string, InterfaceVpcEndpointAwsService>> = {
  EcrApi: InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  SecretsManager: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  BedrockRuntime: InterfaceVpcEndpointAwsService.BEDROCK_RUNTIME,
};

export interface AgentNetworkProps {
  /**
   * Existing VPC. Set on a stack that has a new one, it ends live calls: the routes of the old VPC go as soon as the new tasks are
   * healthy.
   * @default - a new VPC
   */
  readonly vpc?: IVpc;

  /**
   * Subnets of `vpc` for the tasks. Public ones need `assignPublicIp`.
   * @default - the public subnets of a new VPC, or its private ones when it has NAT gateways;
   * of an existing VPC, the private subnets with egress
   */
  readonly subnets?: SubnetSelection;

  /**
   * Give each task a public IP address. Nothing can connect to it, because the security group has no inbound rule. It
   * saves the price of a NAT gateway, and avoids symmetric NAT, which would force WebRTC media through a relay.
   * @default - true in the public subnets of a new VPC, else false
   */
  readonly assignPublicIp?: boolean;

  /**
   * NAT gateways of a new VPC, at most 2, one per zone. With any, tasks run in private subnets; each costs about 33 USD
   * a month when idle. Going back to 0 ends live calls.
   * @default 0
   */
  readonly natGateways?: number;

  /**
   * Availability Zones of a new VPC, two or more. Not every zone of every Region has Fargate. They cannot be changed once the VPC
   * exists, because CloudFormation would give the new subnets the addresses of the old ones.
   * @default - the first two of the Region
   */
  readonly availabilityZones?: readonly string[];

  /**
   * Security group of the tasks, which need no inbound rule.
   * @default - a new one without inbound rules, with all outbound traffic
   */
  readonly securityGroup?: ISecurityGroup;

  /**
   * Address range of a new VPC, /18 or larger. It matters when the VPC is peered.
   * @default '10.0.0.0/16'
   */
  readonly cidr?: string;

  /**
   * Interface endpoints for ECR, CloudWatch Logs, Secrets Manager and Bedrock in the stack's Region. They keep this
   * traffic inside AWS at about 7 USD a month each per Availability Zone; LiveKit is still reached over the internet.
   * In a VPC that already has such endpoints, the deployment fails on their private DNS names.
   * @default false
   */
  readonly interfaceEndpoints?: boolean;

  /**
   * How long the flow log of a new VPC is kept. It records rejected traffic only, which is what matters without inbound
   * rules.
   * @default RetentionDays.ONE_MONTH
   */
  readonly flowLogRetention?: RetentionDays;
}

/** VPC and subnets of the tasks, and their security group without inbound rules. */
export class AgentNetwork extends Construct {
  public readonly vpc: IVpc;
  public readonly subnets: SubnetSelection;
  public readonly assignPublicIp: boolean;
  public readonly securityGroup: ISecurityGroup;
  /** What tasks need to reach LiveKit and AWS: routes, gateways and endpoints. A service depends on it. */
  public readonly connectivity = new DependencyGroup();

  /** @throws Error with one sentence when tasks could not reach the internet, or when props contradict each other */
  constructor(scope: Construct, id: string, props: AgentNetworkProps = {}) {
    super(scope, id);
    const { natGateways = 0 } = props;
    if (props.vpc && (props.natGateways !== undefined || props.cidr)) {
      throw new Error('"natGateways" and "cidr" are for a new VPC and cannot be set with "vpc".');
    }
    if (props.vpc && props.availabilityZones) {
      throw new Error('"availabilityZones" is for a new VPC and cannot be set with "vpc".');
    }
    if (props.availabilityZones && props.availabilityZones.length < ZONES) {
      throw new Error(
        `"availabilityZones" cannot be ${JSON.stringify(props.availabilityZones)}: name at least ${ZONES}.`,
      );
    }
    if (props.subnets && !props.vpc) {
      throw new Error('"subnets" needs "vpc": a new VPC creates its subnets.');
    }
    const problem = validateRange('natGateways', natGateways, RANGES.natGateways);
    if (problem) throw new Error(problem);
    if (!props.vpc && natGateways === 0 && props.assignPublicIp === false) {
      throw new Error(
        '"assignPublicIp" cannot be false with 0 "natGateways": the tasks could not reach LiveKit.',
      );
    }
    this.vpc = props.vpc ?? this.createVpc(props, natGateways);
    this.assignPublicIp = props.assignPublicIp ?? (!props.vpc && natGateways === 0);
    this.subnets = props.subnets ?? {
      subnetType: this.assignPublicIp ? SubnetType.PUBLIC : SubnetType.PRIVATE_WITH_EGRESS,
    };

    this.securityGroup =
      props.securityGroup ??
      new SecurityGroup(this, 'SecurityGroup', {
        vpc: this.vpc,
        description:
          'Voice agent: no inbound rule; outbound to LiveKit (TCP 443 and 7881, UDP media) and AWS',
        // LiveKit's media ports depend on its deployment: TURN on 443 or 3478, or UDP 50000 to 60000.
        allowAllOutbound: true,
      });
    if (props.interfaceEndpoints) this.addInterfaceEndpoints();
    this.connectivity.add(this.vpc.selectSubnets(this.subnets).internetConnectivityEstablished);
  }

  private createVpc(props: AgentNetworkProps, natGateways: number): Vpc {
    // A fixed size: with private subnets added later, the public ones keep their addresses and are not replaced.
    const cidrMask = 20;
    const publicSubnets = {
      name: 'Public',
      subnetType: SubnetType.PUBLIC,
      mapPublicIpOnLaunch: false,
      cidrMask,
    };
    const privateSubnets = {
      name: 'Private',
      subnetType: SubnetType.PRIVATE_WITH_EGRESS,
      cidrMask,
    };
    const vpc = new Vpc(this, 'Vpc', {
      ...(props.availabilityZones
        ? { availabilityZones: [...props.availabilityZones] }
        : { maxAzs: ZONES }),
      natGateways,
      subnetConfiguration: natGateways > 0 ? [publicSubnets, privateSubnets] : [publicSubnets],
      // Nothing uses the default group; emptying it would take a Lambda function with permissions on security groups.
      restrictDefaultSecurityGroup: false,
      ...(props.cidr && { ipAddresses: IpAddresses.cidr(props.cidr) }),
    });
    // Free of charge; without it, image layers from S3 would pass the NAT gateway, which is billed by the GB.
    this.connectivity.add(
      vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 }),
    );
    vpc.addFlowLog('Rejected', {
      trafficType: FlowLogTrafficType.REJECT,
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, 'FlowLog', {
          retention: props.flowLogRetention ?? RetentionDays.ONE_MONTH,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      ),
    });
    return vpc;
  }

  private addInterfaceEndpoints(): void {
    const endpoints = new SecurityGroup(this, 'EndpointSecurityGroup', {
      vpc: this.vpc,
      description: 'Interface endpoints of AWS services: HTTPS from the voice agent',
      allowAllOutbound: false,
    });
    endpoints.addIngressRule(this.securityGroup, Port.HTTPS, 'HTTPS from the voice agent');
    for (const [name, service] of Object.entries(INTERFACE_ENDPOINTS)) {
      const endpoint = new InterfaceVpcEndpoint(this, name, {
        vpc: this.vpc,
        service,
        subnets: this.subnets,
        securityGroups: [endpoints],
        // The rule above is narrower than the whole range of the VPC.
        open: false,
      });
      this.connectivity.add(endpoint);
    }
  }
}

/** Imports a VPC and its subnets by ID. Nothing is looked up, so synth needs no credentials. */
export function importVpc(
  scope: Construct,
  vpcId: string,
  subnetIds: readonly string[],
): { vpc: IVpc; subnets: SubnetSelection } {
  const vpc = Vpc.fromVpcAttributes(scope, 'ImportedVpc', {
    vpcId,
    // The zones are those of the subnets; nothing in the template depends on these.
    availabilityZones: subnetIds.map((_, index) => Fn.select(index, Fn.getAzs())),
  });
  const subnets = subnetIds.map((subnetId) => {
    const subnet = Subnet.fromSubnetId(scope, subnetId, subnetId);
    Annotations.of(subnet).acknowledgeWarning(
      '@aws-cdk/aws-ec2:noSubnetRouteTableId',
      'Tasks and interface endpoints are placed in the subnet; its routes are not changed.',
    );
    return subnet;
  });
  return { vpc, subnets: { subnets } };
}
