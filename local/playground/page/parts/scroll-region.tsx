// SPDX-License-Identifier: Apache-2.0

import type { ComponentProps } from 'react';

/** A scrollable region that has a name and can be reached by keyboard. */
export function ScrollRegion(props: ComponentProps<'section'> & { label: string }) {
  const { label, ...rest } = props;
  // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll it
  return <section {...rest} tabIndex={0} aria-label={label} />;
}
