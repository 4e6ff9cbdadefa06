// SPDX-License-Identifier: Apache-2.0

import { Stack } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';

/** cdk-nag's ID of the finding about a wildcard resource: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:…]`. */
export function wildcardFindingId(scope: IConstruct, arn: string): string {
  return `AwsSolutions-IAM5[Resource::${printExpression(Stack.of(scope).resolve(arn))}]`;
}

/** A CloudFormation expression as cdk-nag prints it: references in angle brackets, the rest unchanged. */
export function printExpression(value: unknown): string {
  if (typeof value === 'string') return value;
  const expression = value as {
    Ref?: string;
    'Fn::GetAtt'?: string[];
    'Fn::Join'?: [string, unknown[]];
  };
  if (expression.Ref) return `<${expression.Ref}>`;
  if (expression['Fn::GetAtt']) return `<${expression['Fn::GetAtt'].join('.')}>`;
  if (expression['Fn::Join']) {
    const [delimiter, parts] = expression['Fn::Join'];
    return parts.map(printExpression).join(delimiter);
  }
  return JSON.stringify(value);
}
