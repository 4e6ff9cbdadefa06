// SPDX-License-Identifier: Apache-2.0

import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
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
import { Construct } from 'constructs';
import { RANGES, validateRange, ZONES } from '../limits.js';

/** AWS services that a task calls, for those who keep that traffic off the internet. */
const INTERFACE_ENDPOINTS: Readonly<Record<string, InterfaceVpcEndpointAwsService>> = {
  EcrApi: InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  SecretsManager: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  BedrockRuntime: InterfaceVpcEndpointAwsService.BEDROCK_RUNTIME,
};

export interface AgentNetworkProps {
  /**
   * A VPC of yours.
   * @default - an own VPC
   */
  readonly vpc?: IVpc;

  /**
   * Which subnets of `vpc` the tasks use. Public ones need `assignPublicIp`.
   * @default - the public subnets of an own VPC, or its private ones when it has NAT gateways;
   * of a given VPC, the private subnets with a way out
   */
  readonly subnets?: SubnetSelection;

  /**
   * Give each task a public IP address. Nothing can connect to it, because the security group has no inbound rule; it
   * saves the NAT gateway's price, and the symmetric NAT that would push WebRTC media onto a relay.
   * @default - true in the public subnets of an own VPC, else false
   */
  readonly assignPublicIp?: boolean;

  /**
   * NAT gateways of an own VPC, at most 2, one for each zone. With any, the tasks move to private subnets; each costs
   * about 33 USD a month idle.
   * @default 0
   */
  readonly natGateways?: number;

  /**
   * Address range of an own VPC, /18 or larger. It matters when the VPC is to be peered.
   * @default '10.0.0.0/16'
   */
  readonly cidr?: string;

  /**
   * Interface endpoints for ECR, CloudWatch Logs, Secrets Manager and Bedrock in the stack's Region. They keep this
   * traffic inside AWS at about 7 USD a month each per Availability Zone; LiveKit is still reached over the internet.
   * In a VPC that has such endpoints already, the deploy fails on their private DNS names.
   * @default false
   */
  readonly interfaceEndpoints?: boolean;

  /**
   * How long the flow log of an own VPC is kept. It has rejected traffic only: with no inbound rule, that is what tells.
   * @default RetentionDays.ONE_MONTH
   */
  readonly flowLogRetention?: RetentionDays;
}

/** Where the tasks live, and the security group without an inbound rule around them. */
export class AgentNetwork extends Construct {
  public readonly vpc: IVpc;
  public readonly subnets: SubnetSelection;
  public readonly assignPublicIp: boolean;
  public readonly securityGroup: SecurityGroup;

  /** @throws Error with one sentence when tasks could reach nothing, or when props contradict each other. */
  constructor(scope: Construct, id: string, props: AgentNetworkProps = {}) {
    super(scope, id);
    const { natGateways = 0 } = props;
    if (props.vpc && (props.natGateways !== undefined || props.cidr)) {
      throw new Error(
        '"natGateways" and "cidr" are for an own VPC and cannot be given with "vpc".',
      );
    }
    if (props.subnets && !props.vpc) {
      throw new Error('"subnets" needs "vpc": an own VPC has subnets of its own.');
    }
    const mistake = validateRange('natGateways', natGateways, RANGES.natGateways);
    if (mistake) throw new Error(mistake);
    if (!props.vpc && natGateways === 0 && props.assignPublicIp === false) {
      throw new Error(
        '"assignPublicIp" cannot be false with 0 "natGateways": the tasks could not reach LiveKit.',
      );
    }
    this.vpc = props.vpc ?? this.ownVpc(props, natGateways);
    this.assignPublicIp = props.assignPublicIp ?? (!props.vpc && natGateways === 0);
    this.subnets = props.subnets ?? {
      subnetType: this.assignPublicIp ? SubnetType.PUBLIC : SubnetType.PRIVATE_WITH_EGRESS,
    };

    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: this.vpc,
      description:
        'Voice agent: no inbound rule; outbound to LiveKit (TCP 443 and 7881, UDP media) and AWS',
      // LiveKit's media ports depend on its deployment: TURN on 443 or 3478, or UDP 50000 to 60000.
      allowAllOutbound: true,
    });
    if (props.interfaceEndpoints) this.addInterfaceEndpoints();
  }

  private ownVpc(props: AgentNetworkProps, natGateways: number): Vpc {
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
      maxAzs: ZONES,
      natGateways,
      subnetConfiguration: natGateways > 0 ? [publicSubnets, privateSubnets] : [publicSubnets],
      // Nothing uses the default group; emptying it would take a Lambda function with rights on security groups.
      restrictDefaultSecurityGroup: false,
      ...(props.cidr && { ipAddresses: IpAddresses.cidr(props.cidr) }),
    });
    // Free, and image layers come from S3: without it they would pass the NAT gateway at its price.
    vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
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
      new InterfaceVpcEndpoint(this, name, {
        vpc: this.vpc,
        service,
        subnets: this.subnets,
        securityGroups: [endpoints],
        // Our own rule above is narrower than the VPC's whole range.
        open: false,
      });
    }
  }
}

/** A VPC and its subnets by their IDs alone: nothing is looked up, so synth needs no credentials. */
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
      'Tasks and interface endpoints are put into the subnet; its routes are left alone.',
    );
    return subnet;
  });
  return { vpc, subnets: { subnets } };
}
