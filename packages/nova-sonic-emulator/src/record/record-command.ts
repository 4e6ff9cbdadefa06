// SPDX-License-Identifier: Apache-2.0
import { stopOnSignal } from '../stop-on-signal.js';
import { startRecordingProxy } from './recording-proxy.js';

/** Flags of `nova-sonic-emulator record`. */
export interface RecordFlags {
  target: string;
  region: string;
  port: number;
  tlsPort: number;
  cert?: string;
  audio: boolean;
  text: boolean;
}

/** Records what a client and the service say, until SIGINT or SIGTERM. */
export async function recordCommand(file: string, flags: RecordFlags): Promise<void> {
  const proxy = await startRecordingProxy({
    target: { region: flags.region, ...(flags.target !== 'aws' && { url: flags.target }) },
    record: file,
    recordAudio: flags.audio,
    recordText: flags.text,
    port: flags.port,
    tlsPort: flags.tlsPort,
    certFile: flags.cert,
  });
  if (flags.cert) console.error(`certificate ${flags.cert}`);
  console.log(`ready ${proxy.url} ${proxy.tlsUrl}`);
  stopOnSignal(() => proxy.close());
}
