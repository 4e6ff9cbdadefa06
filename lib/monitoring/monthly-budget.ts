// SPDX-License-Identifier: Apache-2.0

import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import { Construct } from 'constructs';

export interface MonthlyBudgetProps {
  /** US dollars in a calendar month. */
  readonly amountUsd: number;
  /** E-mail addresses that are notified, one to ten. */
  readonly emails: readonly string[];
  /**
   * Services whose cost counts, by their names in Cost Explorer, such as Amazon Bedrock. Streams of Bedrock carry no tag, so the
   * cost of one stack cannot be distinguished from that of another in the account.
   * @default - all cost of the account
   */
  readonly services?: readonly string[];
}

/** The message is sent when this percentage is reached, or is forecast to be. */
const NOTIFICATIONS = [
  ['ACTUAL', 80],
  ['FORECASTED', 100],
  ['ACTUAL', 100],
] as const;

/**
 * Notifies by e-mail when the account costs more in a month than it should. AWS Budgets looks at the bill a few times a day; it stops
 * nothing, and costs nothing.
 */
export class MonthlyBudget extends Construct {
  public readonly budget: CfnBudget;

  /** @throws Error with one sentence when nobody would be notified, or the amount is none */
  constructor(scope: Construct, id: string, props: MonthlyBudgetProps) {
    super(scope, id);
    const { amountUsd, emails, services } = props;
    if (!(amountUsd > 0)) {
      throw new Error(`"amountUsd" cannot be ${amountUsd}: it must be US dollars above 0.`);
    }
    if (emails.length < 1 || emails.length > 10) {
      throw new Error(`"emails" has ${emails.length} addresses: AWS Budgets takes one to ten.`);
    }
    this.budget = new CfnBudget(this, 'Budget', {
      budget: {
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: amountUsd, unit: 'USD' },
        ...(services && { costFilters: { Service: [...services] } }),
      },
      notificationsWithSubscribers: NOTIFICATIONS.map(([notificationType, threshold]) => ({
        notification: {
          notificationType,
          threshold,
          thresholdType: 'PERCENTAGE',
          comparisonOperator: 'GREATER_THAN',
        },
        subscribers: emails.map((address) => ({ subscriptionType: 'EMAIL', address })),
      })),
    });
  }
}
