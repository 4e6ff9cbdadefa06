// SPDX-License-Identifier: Apache-2.0

import { Annotations } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';

/** The one line for a name that changed and still works. */
export const renamed = (oldName: string, newName: string): string =>
  `"${oldName}" is deprecated and will be removed: use "${newName}".`;

/** Warns once at synth, on this construct, about a name that changed. */
export function warnRenamedProp(scope: IConstruct, oldName: string, newName: string): void {
  Annotations.of(scope).addWarningV2(
    `nova-sonic-livekit:renamed-${oldName}`,
    renamed(oldName, newName),
  );
}
