// SPDX-License-Identifier: Apache-2.0

import { Token } from 'aws-cdk-lib/core';

/** A number as text, also when it is a CloudFormation parameter, whose stand-in in JavaScript is a huge negative number. */
export function numberText(value: number): string {
  return Token.isUnresolved(value) ? Token.asString(value) : String(value);
}
