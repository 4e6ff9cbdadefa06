// SPDX-License-Identifier: Apache-2.0

import { useEffect, useState } from 'react';

/** The current time in ms since the epoch, updated four times a second while `running`. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
