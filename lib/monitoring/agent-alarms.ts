// SPDX-License-Identifier: Apache-2.0

import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Construct } from 'constructs';
import { warnRenamedProp } from '../deprecation.js';
import type { AgentAlarmsProps, AlarmChange } from './agent-alarms-props.js';
import { type AlarmDefinition, alarmDefinitions, streamsOf } from './alarm-definitions.js';
import {
  type AlarmThresholds,
  DEFAULT_THRESHOLDS,
  RENAMED_THRESHOLDS,
  type ResolvedThresholds,
} from './alarm-thresholds.js';
import { type AlarmName, RUNBOOKS, runbookPath } from './runbooks.js';

/** One alarm for each problem that affects callers, each with the first thing to do in its description. */
export class AgentAlarms extends Construct {
  public readonly alarms: readonly Alarm[];
  /** The same alarms by name, without those that are left out. */
  public readonly byName: Readonly<Partial<Record<AlarmName, Alarm>>>;

  constructor(scope: Construct, id: string, props: AgentAlarmsProps) {
    super(scope, id);
    const thresholds = this.resolveThresholds(props.thresholds ?? {});
    const definitions = alarmDefinitions(props, thresholds);
    const topic = props.topic ? [new SnsAction(props.topic)] : [];
    const created = (Object.entries(definitions) as [AlarmName, AlarmDefinition][]).flatMap(
      ([name, definition]) => {
        const change = props.alarms?.[name] ?? {};
        if (change === false) return [];
        const alarm = this.createAlarm(name, definition, {
          words: RUNBOOKS[name].condition(thresholds, {
            perRegion: props.streamQuotaPerRegion,
            ...(props.lanes && { ofLanes: streamsOf(props.lanes) }),
          }),
          ...change,
        });
        const bySeverity = props.actions?.[RUNBOOKS[name].severity] ?? [];
        for (const action of [...topic, ...bySeverity, ...(change.actions ?? [])]) {
          alarm.addAlarmAction(action);
          alarm.addOkAction(action);
        }
        return [[name, alarm] as const];
      },
    );
    this.byName = Object.fromEntries(created);
    this.alarms = created.map(([, alarm]) => alarm);
  }

  private createAlarm(
    name: AlarmName,
    definition: AlarmDefinition,
    { words, evaluationPeriods }: AlarmChange & { words: string },
  ): Alarm {
    // The words have the usual number of periods.
    const changed = evaluationPeriods ? ` (changed: for ${evaluationPeriods} periods)` : '';
    return new Alarm(this, name, {
      metric: definition.metric,
      threshold: definition.threshold,
      evaluationPeriods: evaluationPeriods ?? definition.periods ?? 1,
      comparisonOperator: definition.below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: definition.missingIsBreaching
        ? TreatMissingData.BREACHING
        : TreatMissingData.NOT_BREACHING,
      // Read at night on a phone: what happens, what to do, where to read on.
      alarmDescription: `${words}${changed}: ${RUNBOOKS[name].firstAction} Runbook: ${runbookPath(name)}`,
    });
  }

  private resolveThresholds(given: AlarmThresholds): ResolvedThresholds {
    const resolved = { ...given };
    for (const [oldName, newName] of Object.entries(RENAMED_THRESHOLDS)) {
      const value = given[oldName as keyof typeof RENAMED_THRESHOLDS];
      if (value === undefined) continue;
      warnRenamedProp(this, oldName, newName);
      Object.assign(resolved, { [newName]: given[newName] ?? value });
    }
    const set = Object.entries(resolved).filter(([, value]) => value !== undefined);
    return { ...DEFAULT_THRESHOLDS, ...Object.fromEntries(set) };
  }
}
