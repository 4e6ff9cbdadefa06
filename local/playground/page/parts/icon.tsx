// SPDX-License-Identifier: Apache-2.0

const paths = {
  call: 'M6.6 3.5c.5 0 .9.3 1 .7l1 3.2c.2.5 0 1-.3 1.3L6.8 10a12 12 0 0 0 5.2 5.2l1.3-1.5c.3-.4.8-.5 1.3-.3l3.2 1c.4.1.7.5.7 1v2.3c0 .9-.7 1.6-1.6 1.6A13.4 13.4 0 0 1 3.5 6c0-.9.7-2.5 1.6-2.5z',
  'hang-up':
    'M12 8.5c-3.400 0-6.500.8-8.700 2.300-.6.4-.9 1-.8 1.700l.3 2.300c.1.6.7 1.100 1.300 1l3-.5c.5-.1.9-.5 1-1l.3-2a11 11 0 0 1 7.200 0l.3 2c.1.5.5.9 1 1l3 .5c.6.1 1.200-.4 1.300-1l.3-2.300c.1-.7-.2-1.300-.8-1.700-2.200-1.500-5.300-2.300-8.700-2.300z',
  microphone:
    'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11a6 6 0 0 0 12 0M12 17v4M9 21h6',
  muted:
    'M4 4l16 16M9 9v2a3 3 0 0 0 4.500 2.600M15 10.500V6a3 3 0 0 0-5.700-1.300M6 11a6 6 0 0 0 9 5.200M18 11a6 6 0 0 1-.5 2.400M12 17v4M9 21h6',
  sound: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4',
  dismiss: 'M6.500 6.500l11 11M17.500 6.500l-11 11',
  download: 'M12 4v11M7.500 10.500 12 15l4.500-4.500M5 19.500h14',
} as const;

export function Icon({ name }: { name: keyof typeof paths }) {
  const filled = name === 'call' || name === 'hang-up';
  return (
    <svg viewBox="0 0 24 24" className={filled ? 'filled' : ''} aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
