// SPDX-License-Identifier: Apache-2.0

import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { ContainerInsights, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  Annotations,
  CfnOutput,
  CfnParameter,
  Duration,
  RemovalPolicy,
  Stack,
  type StackProps,
  Validations,
} from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { ContainerSecret, secretReference } from './access/container-secret.js';
import { LiveKitCredentials } from './access/livekit-credentials.js';
import { NovaSonicAccess } from './access/nova-sonic-access.js';
import { AgentImage } from './image/agent-image.js';
import { pinnedImage } from './image/pinned-image.js';
import { DeploymentAlarms } from './monitoring/deployment-alarms.js';
import { MonthlyBudget } from './monitoring/monthly-budget.js';
import { SyntheticCall } from './monitoring/synthetic-call.js';
import { VoiceAgentMonitoring } from './monitoring/voice-agent-monitoring.js';
import { AgentNetwork, type AgentNetworkProps, importVpc } from './network/agent-network.js';
import { CallScaling } from './scaling/call-scaling.js';
import { CallTraces } from './service/call-traces.js';
import { VoiceAgentService } from './service/voice-agent-service.js';
import { streamQuotaWarning } from './service-limits.js';
import {
  LIVEKIT_SECRET_ARN,
  PARAMETERS,
  type Parameter,
} from './settings/cloudformation-parameters.js';
import { CHANGES, type Settings } from './settings/settings.js';

export interface VoiceAgentStackProps extends StackProps {
  /** The configuration, as `readSettings` returns it. */
  readonly settings: Settings;

  /**
   * The project's root folder, with agent/ and package-lock.json, from which the image is built.
   * @default - the one that holds this file
   */
  readonly projectRoot?: string;
}

const INSIGHTS = {
  off: ContainerInsights.DISABLED,
  on: ContainerInsights.ENABLED,
  enhanced: ContainerInsights.ENHANCED,
};

const callTraces = (to: string, percent: number) =>
  to === 'xray' ? CallTraces.xray({ percent }) : CallTraces.otlp(to, { percent });

/** The whole service: network, tasks, scaling and monitoring, with parameters and outputs. */
export class VoiceAgentStack extends Stack {
  public readonly agent: VoiceAgentService;
  public readonly scaling: CallScaling;
  public readonly monitoring: VoiceAgentMonitoring;

  constructor(scope: Construct, id: string, props: VoiceAgentStackProps) {
    super(scope, id, {
      description: 'Voice agents: LiveKit in front, Amazon Nova Sonic behind, on ECS Fargate',
      terminationProtection: props.settings.terminationProtection,
      ...props,
    });
    const { settings } = props;
    const parameters = this.parameters(settings);
    const architecture =
      settings.architecture === 'x86_64' ? CpuArchitecture.X86_64 : CpuArchitecture.ARM64;

    const credentials = new LiveKitCredentials(this, 'LiveKit', {
      secret: settings.liveKitSecret,
      arnParameter: this.secretParameter(settings),
      encryptionKeyArn: settings.secretKmsKey,
    });

    this.agent = new VoiceAgentService(this, 'Agent', {
      serviceName: settings.name,
      network: new AgentNetwork(this, 'Network', this.network(settings)),
      containerInsights: INSIGHTS[settings.containerInsights],
      credentials,
      novaSonic: new NovaSonicAccess(this, 'NovaSonic', {
        model: settings.model,
        ...(settings.lanes ? { lanes: settings.lanes } : { regions: settings.bedrockRegions }),
        streamQuotaPerRegion: settings.streamQuotaPerRegion,
        forceModel: settings.forceModel,
      }),
      image: settings.image
        ? pinnedImage(this, settings.image)
        : new AgentImage(this, 'Image', {
            architecture,
            baseImage: settings.baseImage,
            projectRoot: props.projectRoot,
          }),
      architecture,
      cpu: settings.cpu,
      memory: settings.memory,
      callsPerTask: parameters.callsPerTask.valueAsNumber,
      callsPerProcess: settings.callsPerProcess,
      agentName: settings.agentName,
      voice: settings.voice,
      ...(settings.renewAfterSeconds && {
        renewAfter: Duration.seconds(settings.renewAfterSeconds),
      }),
      maxCallLength: Duration.seconds(settings.maxCallSeconds),
      stopTimeout: Duration.seconds(settings.stopTimeoutSeconds),
      spot: settings.spot,
      logGroup: this.logGroup(settings),
      logLevel: settings.logLevel,
      environment: settings.environment,
      secrets: this.toolSecrets(settings),
      enableExecuteCommand: settings.ecsExec,
      ...(settings.traces && { traces: callTraces(settings.traces, settings.tracePercent) }),
      ...(settings.tenantMetadataKey && { tenantMetadataKey: settings.tenantMetadataKey }),
      metricsNamespace: settings.metricsNamespace,
      prices: {
        audioIn: settings.priceAudioInPerM,
        audioOut: settings.priceAudioOutPerM,
        textIn: settings.priceTextInPerM,
        textOut: settings.priceTextOutPerM,
      },
    });
    this.scaling = new CallScaling(this, 'Scaling', {
      service: this.agent.service,
      metrics: this.agent.metrics,
      minTasks: parameters.minTasks.valueAsNumber,
      maxTasks: parameters.maxTasks.valueAsNumber,
      targetSlotUtilization: parameters.targetSlotUtilization.valueAsNumber,
      schedules: settings.schedules,
    });
    const syntheticCall =
      settings.syntheticCallMinutes &&
      new SyntheticCall(this, 'SyntheticCall', {
        agent: this.agent,
        interval: Duration.minutes(settings.syntheticCallMinutes),
      });
    this.monitoring = new VoiceAgentMonitoring(this, 'Monitoring', {
      agent: this.agent,
      scaling: this.scaling,
      logRetention: settings.logRetentionDays,
      alarmEmail: settings.alarmEmail,
      ...(syntheticCall && { syntheticCall }),
      ...(settings.serviceLevelPercent && {
        serviceLevel: { goalPercent: settings.serviceLevelPercent },
      }),
    });
    if (settings.monthlyBudgetUsd && settings.alarmEmail) {
      new MonthlyBudget(this, 'MonthlyBudget', {
        amountUsd: settings.monthlyBudgetUsd,
        emails: [settings.alarmEmail],
      });
    }
    if (settings.bakeMinutes > 0) {
      new DeploymentAlarms(this, 'DeploymentAlarms', {
        agent: this.agent,
        bakeTime: Duration.minutes(settings.bakeMinutes),
      });
    }
    this.warnAboutStreamQuota(settings);
    this.outputs(settings, credentials);
  }

  /** The CloudFormation parameters. The settings of the same names are their defaults. */
  private parameters(settings: Settings) {
    const create = ({ id, setting, description, min, max, change }: Parameter) =>
      new CfnParameter(this, id, {
        type: 'Number',
        description: `${description(settings)} Effect of a change: ${CHANGES[change]}.`,
        default: settings[setting],
        minValue: min,
        maxValue: max(settings),
      });
    return {
      minTasks: create(PARAMETERS.minTasks),
      maxTasks: create(PARAMETERS.maxTasks),
      callsPerTask: create(PARAMETERS.callsPerTask),
      targetSlotUtilization: create(PARAMETERS.targetSlotUtilization),
    };
  }

  private secretParameter({ liveKitSecret }: Settings): CfnParameter {
    const { id, description, allowedPattern, constraint, change } = LIVEKIT_SECRET_ARN;
    // The finding is about the template, so it is acknowledged there.
    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W2509',
      reason: 'It is the ARN of a secret, which is no secret; operators need to see it.',
    });
    return new CfnParameter(this, id, {
      description: `${description} Effect of a change: ${CHANGES[change]}.`,
      default: liveKitSecret.startsWith('arn:') ? liveKitSecret : '',
      allowedPattern,
      constraintDescription: constraint,
    });
  }

  private toolSecrets({ secrets }: Settings): Record<string, ContainerSecret> {
    return Object.fromEntries(
      Object.entries(secrets).map(([variable, { secret, key, kmsKey }]) => [
        variable,
        new ContainerSecret(this, secretReference(this, secret), key, kmsKey),
      ]),
    );
  }

  private network(settings: Settings): AgentNetworkProps {
    const common = {
      assignPublicIp: settings.publicIp,
      interfaceEndpoints: settings.vpcEndpoints,
      flowLogRetention: settings.logRetentionDays as RetentionDays,
    };
    if (!settings.vpcId) {
      const { natGateways, availabilityZones } = settings;
      return { ...common, natGateways, ...(availabilityZones && { availabilityZones }) };
    }
    if (settings.subnetIds)
      return { ...common, ...importVpc(this, settings.vpcId, settings.subnetIds) };
    return { ...common, vpc: Vpc.fromLookup(this, 'ImportedVpc', { vpcId: settings.vpcId }) };
  }

  private logGroup(settings: Settings): LogGroup {
    return new LogGroup(this, 'Log', {
      retention: settings.logRetentionDays,
      // The log outlives the stack until its retention ends.
      removalPolicy: RemovalPolicy.RETAIN,
      ...(settings.logKmsKey && {
        encryptionKey: Key.fromKeyArn(this, 'LogKey', settings.logKmsKey),
      }),
    });
  }

  private warnAboutStreamQuota(settings: Settings): void {
    const warning = streamQuotaWarning({
      maxTasks: settings.maxTasks,
      schedules: settings.schedules,
      callsPerTask: settings.callsPerTask,
      regions: settings.bedrockRegions.length,
      quotaPerRegion: settings.streamQuotaPerRegion,
      lanes: settings.lanes && this.agent.novaSonic.lanes.map(({ streams }) => streams),
    });
    if (warning) Annotations.of(this).addWarningV2('nova-sonic-livekit:stream-quota', warning);
  }

  private outputs(settings: Settings, credentials: LiveKitCredentials): void {
    const { service, cluster, logGroup } = this.agent;
    const outputs: Record<string, readonly [value: string, description: string]> = {
      DashboardUrl: [this.monitoring.dashboard.url, 'The dashboard in the console'],
      LogGroupName: [logGroup.logGroupName, 'The log of the workers'],
      CrashLogGroupName: [
        this.monitoring.crashLog.logGroup.logGroupName,
        'ECS events of tasks that stopped on their own',
      ],
      ClusterName: [cluster.clusterName, 'The ECS cluster'],
      ServiceName: [service.serviceName, 'The ECS service'],
      // `npm run playground` reads these two.
      LiveKitSecret: [
        credentials.secret.secretArn,
        'The secret with the address and keys of LiveKit',
      ],
      TaskRoleArn: [
        this.agent.taskDefinition.taskRole.roleArn,
        'The role of the tasks, which roles in other accounts trust',
      ],
      ...(settings.agentName && {
        AgentName: [settings.agentName, 'The name for dispatching the agent to a room'] as const,
      }),
      FollowLogs: [
        `aws logs tail ${logGroup.logGroupName} --follow --region ${this.region}`,
        'The command that follows the log',
      ],
      RestartTasks: [
        `aws ecs update-service --cluster ${cluster.clusterName} --service ${service.serviceName} --force-new-deployment --region ${this.region}`,
        'The command that starts new tasks, for example after changing the secret; live calls continue',
      ],
    };
    for (const [name, [value, description]] of Object.entries(outputs)) {
      new CfnOutput(this, name, { value, description });
    }
  }
}
