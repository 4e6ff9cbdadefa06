// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { MonthlyBudget } from '../../../lib/monitoring/monthly-budget.js';
import { readSettings } from '../../../lib/settings/read-settings.js';
import { only, resources, stackOf, templateOf, templateWith } from '../synth.js';

const EMAIL = 'ops@example.com';

describe('a monthly budget', () => {
  test('is off by default', () => {
    expect(resources(templateWith(), 'AWS::Budgets::Budget')).toEqual([]);
  });

  test('tells the address of the alarms at 80 and 100 percent, and when 100 are to be expected', () => {
    const budget = only(
      templateWith({ monthlyBudgetUsd: 500, alarmEmail: EMAIL }),
      'AWS::Budgets::Budget',
    );
    expect(budget).toMatchObject({
      Budget: {
        BudgetType: 'COST',
        TimeUnit: 'MONTHLY',
        BudgetLimit: { Amount: 500, Unit: 'USD' },
      },
    });
    const notifications = budget.NotificationsWithSubscribers as {
      Notification: { NotificationType: string; Threshold: number };
      Subscribers: unknown;
    }[];
    expect(
      notifications.map(({ Notification: { NotificationType, Threshold } }) => [
        NotificationType,
        Threshold,
      ]),
    ).toEqual([
      ['ACTUAL', 80],
      ['FORECASTED', 100],
      ['ACTUAL', 100],
    ]);
    expect(notifications[0]?.Subscribers).toEqual([{ SubscriptionType: 'EMAIL', Address: EMAIL }]);
  });

  test('counts the whole account, or some services', () => {
    const services = ['Amazon Bedrock'];
    const stack = stackOf(
      (scope) => new MonthlyBudget(scope, 'Budget', { amountUsd: 10, emails: [EMAIL], services }),
    );
    const budget = only(templateOf(stack), 'AWS::Budgets::Budget') as {
      Budget: { CostFilters?: unknown };
    };
    expect(budget.Budget.CostFilters).toEqual({ Service: services });
  });

  test('needs somebody to tell', () => {
    expect(() => readSettings({ monthlyBudgetUsd: 500 })).toThrow(
      '"monthlyBudgetUsd" needs "alarmEmail"',
    );
    const create = (amountUsd: number, emails: string[]) => () =>
      stackOf((scope) => new MonthlyBudget(scope, 'Budget', { amountUsd, emails }));
    expect(create(10, [])).toThrow('"emails" has 0 addresses');
    expect(create(0, [EMAIL])).toThrow('"amountUsd" cannot be 0');
  });
});
