// SPDX-License-Identifier: Apache-2.0

import { type IMetric, MathExpression, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import type { AgentMetrics } from '../service/agent-metrics.js';

export interface ServiceLevelProps {
  /**
   * From a caller's joining to the first sound of the agent.
   * @default Duration.seconds(3)
   */
  readonly answeredWithin?: Duration;
  /**
   * From the end of the caller's speech to the first sound of the reply.
   * @default Duration.seconds(2)
   */
  readonly firstAudioWithin?: Duration;
  /**
   * Percentage of callers, and of replies, for which that shall be so; 50 to 99.99. The rest is the error budget.
   * @default 95
   */
  readonly goalPercent?: number;
  /**
   * Callers, or replies, in an hour below which the alarms stay silent: of two callers one is half.
   * @default 10
   */
  readonly minimumPerHour?: number;
}

const HOUR = Duration.hours(1);

/** What callers may expect, as the share of those who got it: an objective for the answer, and one for each reply. */
export class ServiceLevel {
  public readonly goalPercent: number;
  public readonly answeredWithin: Duration;
  public readonly firstAudioWithin: Duration;
  private readonly minimum: number;
  private readonly metrics: AgentMetrics;

  /** @throws Error with one sentence when the goal leaves no error budget, or is below 50 */
  constructor(metrics: AgentMetrics, props: ServiceLevelProps = {}) {
    this.metrics = metrics;
    this.goalPercent = props.goalPercent ?? 95;
    this.answeredWithin = props.answeredWithin ?? Duration.seconds(3);
    this.firstAudioWithin = props.firstAudioWithin ?? Duration.seconds(2);
    this.minimum = props.minimumPerHour ?? 10;
    if (!(this.goalPercent >= 50 && this.goalPercent <= 99.99)) {
      throw new Error(
        `"goalPercent" cannot be ${this.goalPercent}: it must be from 50 to 99.99, so that there is an error budget.`,
      );
    }
  }

  /** Percentage of callers who were answered in time. */
  public answered(period = HOUR): IMetric {
    return this.metrics.timeToAnswer(within(this.answeredWithin), {
      label: `answered within ${text(this.answeredWithin)} (%)`,
      period,
    });
  }

  /** Percentage of replies whose first audio came in time. */
  public repliedInTime(period = HOUR): IMetric {
    return this.metrics.timeToFirstAudio(within(this.firstAudioWithin), {
      label: `first audio within ${text(this.firstAudioWithin)} (%)`,
      period,
    });
  }

  /** Percentage of an error budget that is left, over the range of a dashboard. */
  public budgetsLeft(): IMetric[] {
    const left = (id: string, good: IMetric, label: string) =>
      new MathExpression({
        expression: `100 - 100 * (100 - ${id}) / ${this.budget}`,
        usingMetrics: { [id]: good },
        label,
        period: HOUR,
      });
    return [
      left('answered', this.answered(), 'budget left: answers (%)'),
      left('replied', this.repliedInTime(), 'budget left: replies (%)'),
    ];
  }

  /** How many times as fast as it may the budget for answers is used up, in an hour with enough callers. */
  public answerBurnRate(): IMetric {
    const count = this.metrics.timeToAnswer(Stats.SAMPLE_COUNT, { period: HOUR });
    return this.burnRate(this.answered(), count, 'Burn rate of the error budget for answers');
  }

  /** The same for replies. */
  public replyBurnRate(): IMetric {
    const count = this.metrics.timeToFirstAudio(Stats.SAMPLE_COUNT, { period: HOUR });
    return this.burnRate(this.repliedInTime(), count, 'Burn rate of the error budget for replies');
  }

  /** Percentage that may fail. */
  private get budget(): number {
    // Without the noise of binary fractions: 0.1, not 0.09999999999999432.
    return Number((100 - this.goalPercent).toFixed(4));
  }

  private burnRate(good: IMetric, count: IMetric, label: string): IMetric {
    return new MathExpression({
      expression: `IF(count >= ${this.minimum}, (100 - good) / ${this.budget}, 0)`,
      usingMetrics: { good, count },
      label,
      period: HOUR,
    });
  }
}

/** The statistic: the percentage of values up to a limit. */
const within = (limit: Duration) => Stats.percentileRank(limit.toMilliseconds());

const text = (limit: Duration) => `${limit.toMilliseconds() / 1000} s`;
