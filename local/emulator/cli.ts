// SPDX-License-Identifier: Apache-2.0
import { Command } from 'commander';
import { startEmulator } from './index.js';

const program = new Command('emulator')
  .description("An emulator of Amazon Bedrock's Nova Sonic endpoint on 127.0.0.1.")
  .option('--port <port>', 'port of HTTP/2 in clear text (0: any free one)', Number, 0)
  .option('--tls-port <port>', 'port of HTTP/2 over TLS (0: any free one)', Number, 0)
  .option('--cert <file>', 'where the certificate to trust is written')
  .option('--scenario <file>', 'dialogue to act out, YAML or JSON')
  .option('--profile <name>', "timings: 'capture' (as the real service) or 'fast'", 'capture')
  .action(async (flags) => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
    const emulator = await startEmulator({
      port: flags.port,
      tlsPort: flags.tlsPort,
      certFile: flags.cert,
      scenario: flags.scenario,
      profile: flags.profile,
      credentials:
        AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY
          ? { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY }
          : undefined,
      log: (line) => console.error(line),
    });
    console.error(`certificate: ${emulator.certFile}`);
    console.log(`ready ${emulator.url} ${emulator.tlsUrl}`);
    const stop = () => void emulator.close().then(() => process.exit(0));
    process.once('SIGINT', stop).once('SIGTERM', stop);
  });

await program.parseAsync();
