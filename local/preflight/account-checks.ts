// SPDX-License-Identifier: Apache-2.0

import { AwsError, ask, type Check, CheckUnknown, failCheck, taskLimit } from './check.js';

/** Version of the bootstrap stack that templates of this CDK need. */
const BOOTSTRAP_VERSION = 6;
/** Service Quotas: "Fargate On-Demand vCPU resource count" and "Fargate Spot vCPU resource count". */
const FARGATE_QUOTA = { onDemand: 'L-3032A538', spot: 'L-36FBB829' };

export const credentials: Check = async (_settings, outside) => {
  const { Account, Arn } = await ask<{ Account: string; Arn: string }>(
    outside,
    ['sts', 'get-caller-identity'],
    {},
  );
  return `Account ${Account}, as ${Arn}.`;
};

export const bootstrap: Check = async (_settings, outside) => {
  const { Parameter } = await ask<{ Parameter: { Value: string } }>(
    outside,
    ['ssm', 'get-parameter', '--name', '/cdk-bootstrap/hnb659fds/version'],
    { ParameterNotFound: 'The account is not bootstrapped for the CDK: run `npx cdk bootstrap`.' },
  );
  return Number(Parameter.Value) >= BOOTSTRAP_VERSION
    ? `Version ${Parameter.Value}.`
    : failCheck(
        `The bootstrap stack has version ${Parameter.Value} and ${BOOTSTRAP_VERSION} is needed: run \`npx cdk bootstrap\` again.`,
      );
};

export const fargateQuota: Check = async (settings, outside) => {
  const { cpu, spot } = settings;
  const { Quota } = await ask<{ Quota: { Value: number } }>(
    outside,
    [
      ...['service-quotas', 'get-service-quota', '--service-code', 'fargate'],
      ...['--quota-code', spot ? FARGATE_QUOTA.spot : FARGATE_QUOTA.onDemand],
    ],
    {},
  );
  const { tasks, name } = taskLimit(settings);
  // Twice: old tasks stay until their calls have ended.
  const needed = (2 * tasks * cpu) / 1024;
  return Quota.Value >= needed
    ? `${Quota.Value} vCPUs, of which ${name} needs ${needed} during a deployment.`
    : failCheck(
        `Fargate allows ${Quota.Value} vCPUs, and ${tasks} tasks need ${needed} during a deployment (twice ${needed / 2}): request more in Service Quotas, or lower ${name}.`,
      );
};

interface StackResource {
  readonly ResourceType: string;
  readonly PhysicalResourceId?: string;
}
interface Subscription {
  readonly Endpoint: string;
  readonly SubscriptionArn: string;
}

export const alarmAddress: Check = async ({ name, alarmEmail }, outside) => {
  if (!alarmEmail)
    throw new CheckUnknown(
      'Nobody hears of an alarm: set "alarmEmail" to the address of who is on call.',
    );
  let resources: StackResource[];
  try {
    const args = ['cloudformation', 'describe-stack-resources', '--stack-name', name];
    const answer = await ask<{ StackResources: StackResource[] }>(outside, args, {});
    resources = answer.StackResources;
  } catch (error) {
    if (error instanceof AwsError && error.code === 'ValidationError')
      return `AWS asks ${alarmEmail} to confirm after the first deployment.`;
    throw error;
  }
  const topic = resources.find(({ ResourceType }) => ResourceType === 'AWS::SNS::Topic');
  if (!topic?.PhysicalResourceId) return `AWS asks ${alarmEmail} to confirm after this deployment.`;
  const { Subscriptions } = await ask<{ Subscriptions: Subscription[] }>(
    outside,
    ['sns', 'list-subscriptions-by-topic', '--topic-arn', topic.PhysicalResourceId],
    {},
  );
  const ours = Subscriptions.find(({ Endpoint }) => Endpoint === alarmEmail);
  if (!ours) return `AWS asks ${alarmEmail} to confirm after this deployment.`;
  return ours.SubscriptionArn.startsWith('arn:')
    ? `${alarmEmail} is confirmed.`
    : failCheck(`${alarmEmail} has not confirmed its subscription: open the link in AWS's e-mail.`);
};
