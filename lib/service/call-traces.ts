// SPDX-License-Identifier: Apache-2.0

import {
  AwsLogDriverMode,
  type ContainerDefinition,
  ContainerDependencyCondition,
  ContainerImage,
  type FargateTaskDefinition,
  LogDrivers,
} from 'aws-cdk-lib/aws-ecs';
import { Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Validations } from 'aws-cdk-lib/core';
import { COLLECTOR_MIB } from './task-size.js';

/** AWS Distro for OpenTelemetry; its release of 2025-10, which takes trace ids of OpenTelemetry's own format. */
const COLLECTOR_IMAGE = 'public.ecr.aws/aws-observability/aws-otel-collector:v0.45.1';
/** Listens in its task only, since a task shares one network interface. */
const COLLECTOR_ENDPOINT = 'http://127.0.0.1:4318';
/** Attributes by which X-Ray finds a trace; a dot becomes an underscore there. */
const SEARCHED = ['lk.job_id', 'nova_sonic.room_sid', 'nova_sonic.tenant', 'nova_sonic.end_reason'];

/** The configuration of the collector: what it gets from the agent goes to X-Ray. JSON is YAML. */
const COLLECTOR_CONFIG = JSON.stringify({
  receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:4318' } } } },
  processors: {
    memory_limiter: { check_interval: '1s', limit_mib: 160, spike_limit_mib: 40 },
    batch: { timeout: '1s', send_batch_size: 50 },
  },
  exporters: { awsxray: { indexed_attributes: SEARCHED } },
  service: {
    pipelines: {
      traces: {
        receivers: ['otlp'],
        processors: ['memory_limiter', 'batch'],
        exporters: ['awsxray'],
      },
    },
    telemetry: { logs: { level: 'warn' } },
  },
});

export interface CallTracesProps {
  /**
   * Percentage of the calls that are traced, 0 to 100. A call is traced whole or not at all.
   * @default 100
   */
  readonly percent?: number;
}

export interface XRayTracesProps extends CallTracesProps {
  /**
   * The collector: another release, or your copy of it.
   * @default - AWS Distro for OpenTelemetry, v0.45.1, from Amazon ECR Public
   */
  readonly collectorImage?: ContainerImage;
}

/** Where the traces of calls go. They hold no transcripts, prompts, arguments of tools or telephone numbers. */
export class CallTraces {
  /**
   * To an OpenTelemetry endpoint (OTLP over HTTP). A key that it needs is the variable OTEL_EXPORTER_OTLP_HEADERS, from a secret,
   * by the prop `secrets`.
   * @param endpoint like https://otlp.example.com; /v1/traces is added
   */
  public static otlp(endpoint: string, props: CallTracesProps = {}): CallTraces {
    return new CallTraces(endpoint, props.percent ?? 100);
  }

  /**
   * To AWS X-Ray, by a collector beside the agent in each task. The task role gets xray:PutTraceSegments. When the collector ends,
   * calls go on without traces.
   */
  public static xray(props: XRayTracesProps = {}): CallTraces {
    const image = props.collectorImage ?? ContainerImage.fromRegistry(COLLECTOR_IMAGE);
    return new CallTraces(COLLECTOR_ENDPOINT, props.percent ?? 100, image);
  }

  /** The variables of the agent's container. */
  public readonly environment: Readonly<Record<string, string>>;
  /** Memory in MiB that the collector takes of a task. */
  public readonly memory: number;

  private constructor(
    endpoint: string,
    percent: number,
    private readonly collector?: ContainerImage,
  ) {
    if (!/^https?:\/\/\S+$/.test(endpoint)) {
      throw new Error(
        `The endpoint of traces cannot be "${endpoint}": it must be an address like https://otlp.example.com.`,
      );
    }
    if (!(percent >= 0 && percent <= 100)) {
      throw new Error(`"percent" of traces cannot be ${percent}: it must be from 0 to 100.`);
    }
    this.environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_TRACES_SAMPLER_ARG: String(percent / 100),
    };
    this.memory = collector ? COLLECTOR_MIB : 0;
  }

  /** Adds the collector to a task, if there is one. @param agent the container that sends the traces */
  public addCollector(
    taskDefinition: FargateTaskDefinition,
    agent: ContainerDefinition,
    logGroup: ILogGroup,
  ): void {
    if (!this.collector) return;
    const container = taskDefinition.addContainer('TraceCollector', {
      image: this.collector,
      essential: false,
      memoryLimitMiB: this.memory,
      environment: { AOT_CONFIG_CONTENT: COLLECTOR_CONFIG },
      logging: LogDrivers.awsLogs({
        logGroup,
        streamPrefix: 'trace-collector',
        mode: AwsLogDriverMode.NON_BLOCKING,
      }),
    });
    // ECS stops containers in the reverse order: the collector is there for the agent's last spans.
    agent.addContainerDependencies({ container, condition: ContainerDependencyCondition.START });
    const policy = new Policy(taskDefinition, 'Traces', {
      statements: [new PolicyStatement({ actions: ['xray:PutTraceSegments'], resources: ['*'] })],
    });
    // By the role, which is not changed if it is imported so.
    taskDefinition.taskRole.attachInlinePolicy(policy);
    Validations.of(policy).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'X-Ray has no resource for traces; AWS accepts * only.',
    });
  }
}
