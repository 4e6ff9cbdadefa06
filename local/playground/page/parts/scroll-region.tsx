// SPDX-License-Identifier: Apache-2.0

import type { ComponentProps } from 'react';

/** What scrolls must be reachable by keyboard, and have a name. */
export function ScrollRegion(props: ComponentProps<'section'> & { label: string }) {
  const { label, ...rest } = props;
  // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll it
  return <section {...rest} tabIndex={0} aria-label={label} />;
}
