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
} from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { LiveKitCredentials } from './access/livekit-credentials.js';
import { NovaSonicAccess } from './access/nova-sonic-access.js';
import { AgentImage } from './image/agent-image.js';
import { RANGES, streamQuotaWarning } from './limits.js';
import { VoiceAgentMonitoring } from './monitoring/voice-agent-monitoring.js';
import { AgentNetwork, type AgentNetworkProps, importVpc } from './network/agent-network.js';
import { CallScaling } from './scaling/call-scaling.js';
import { maxCalls } from './service/task-size.js';
import { VoiceAgentService } from './service/voice-agent-service.js';
import type { Settings } from './settings/settings.js';

export interface VoiceAgentStackProps extends StackProps {
  /** What to build, as `readSettings` returns it. */
  readonly settings: Settings;
}

const INSIGHTS = {
  off: ContainerInsights.DISABLED,
  on: ContainerInsights.ENABLED,
  enhanced: ContainerInsights.ENHANCED,
};

/** The whole service: network, tasks, scaling, monitoring; with parameters to turn and outputs to go on with. */
export class VoiceAgentStack extends Stack {
  public readonly agent: VoiceAgentService;
  public readonly scaling: CallScaling;
  public readonly monitoring: VoiceAgentMonitoring;

  constructor(scope: Construct, id: string, props: VoiceAgentStackProps) {
    super(scope, id, {
      description: 'Voice agents: LiveKit in front, Amazon Nova Sonic behind, on ECS Fargate',
      ...props,
    });
    const { settings } = props;
    const parameters = this.parameters(settings);
    const architecture =
      settings.architecture === 'x86_64' ? CpuArchitecture.X86_64 : CpuArchitecture.ARM64;

    const credentials = new LiveKitCredentials(this, 'LiveKit', {
      secret: settings.liveKitSecret,
      encryptionKeyArn: settings.secretKmsKey,
    });

    this.agent = new VoiceAgentService(this, 'Agent', {
      serviceName: settings.name,
      network: new AgentNetwork(this, 'Network', this.network(settings)),
      containerInsights: INSIGHTS[settings.containerInsights],
      credentials,
      novaSonic: new NovaSonicAccess(this, 'NovaSonic', {
        model: settings.model,
        regions: settings.bedrockRegions,
        streamQuotaPerRegion: settings.streamQuotaPerRegion,
        forceModel: settings.forceModel,
      }),
      image: new AgentImage(this, 'Image', {
        architecture,
        baseImage: settings.baseImage,
      }),
      cpu: settings.cpu,
      memory: settings.memory,
      callsPerTask: parameters.callsPerTask.valueAsNumber,
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
    this.monitoring = new VoiceAgentMonitoring(this, 'Monitoring', {
      agent: this.agent,
      logRetention: settings.logRetentionDays,
      alarmEmail: settings.alarmEmail,
    });
    this.warnOfStreamQuota(settings);
    this.outputs(settings, credentials);
  }

  /** What an operator turns without the source. The settings of the same names are the defaults. */
  private parameters(settings: Settings) {
    const parameter = (
      name: 'minTasks' | 'maxTasks' | 'callsPerTask' | 'targetSlotUtilization',
      description: string,
      most: number = RANGES[name][1],
    ) =>
      new CfnParameter(this, name[0]?.toUpperCase() + name.slice(1), {
        type: 'Number',
        description,
        default: settings[name],
        minValue: RANGES[name][0],
        maxValue: most,
      });
    return {
      minTasks: parameter(
        'minTasks',
        'Least tasks; paid for idle, ready for the first callers of a burst. Not above MaxTasks.',
      ),
      maxTasks: parameter(
        'maxTasks',
        'Most tasks; bounds what a flood of calls can cost. MaxTasks x CallsPerTask should not exceed the Bedrock stream quota of all Regions.',
      ),
      callsPerTask: parameter(
        'callsPerTask',
        `Calls that one task takes at a time. A change replaces the tasks, without cutting calls. At most ${maxCalls(settings.memory)} fit into ${settings.memory} MiB.`,
        Math.min(RANGES.callsPerTask[1], maxCalls(settings.memory)),
      ),
      targetSlotUtilization: parameter(
        'targetSlotUtilization',
        'Percent of call slots in use at which the number of tasks is held. Lower is readier for bursts and dearer.',
      ),
    };
  }

  private network(settings: Settings): AgentNetworkProps {
    const common = {
      assignPublicIp: settings.publicIp,
      interfaceEndpoints: settings.vpcEndpoints,
      flowLogRetention: settings.logRetentionDays as RetentionDays,
    };
    if (!settings.vpcId) return { ...common, natGateways: settings.natGateways };
    if (settings.subnetIds)
      return { ...common, ...importVpc(this, settings.vpcId, settings.subnetIds) };
    return { ...common, vpc: Vpc.fromLookup(this, 'ImportedVpc', { vpcId: settings.vpcId }) };
  }

  private logGroup(settings: Settings): LogGroup {
    return new LogGroup(this, 'Log', {
      retention: settings.logRetentionDays,
      // What was said of calls outlives the stack, and ends with its retention.
      removalPolicy: RemovalPolicy.RETAIN,
      ...(settings.logKmsKey && {
        encryptionKey: Key.fromKeyArn(this, 'LogKey', settings.logKmsKey),
      }),
    });
  }

  private warnOfStreamQuota(settings: Settings): void {
    const warning = streamQuotaWarning({
      maxTasks: settings.maxTasks,
      callsPerTask: settings.callsPerTask,
      regions: settings.bedrockRegions.length,
      quotaPerRegion: settings.streamQuotaPerRegion,
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
        'What ECS says of tasks that ended on their own',
      ],
      ClusterName: [cluster.clusterName, 'The ECS cluster'],
      ServiceName: [service.serviceName, 'The ECS service'],
      // `npm run talk` reads these two.
      LiveKitSecret: [
        credentials.secret.secretArn,
        'The secret with the address and keys of LiveKit',
      ],
      ...(settings.agentName && {
        AgentName: [settings.agentName, 'The name by which calls ask for the agent'] as const,
      }),
      FollowLogs: [
        `aws logs tail ${logGroup.logGroupName} --follow --region ${this.region}`,
        'The command that follows the log',
      ],
      RestartTasks: [
        `aws ecs update-service --cluster ${cluster.clusterName} --service ${service.serviceName} --force-new-deployment --region ${this.region}`,
        'The command that starts new tasks, for example after a change of the secret; calls go on',
      ],
    };
    for (const [name, [value, description]] of Object.entries(outputs)) {
      new CfnOutput(this, name, { value, description });
    }
  }
}
