// SPDX-License-Identifier: Apache-2.0
// Checks the built image from inside: `npm run test:image`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dispose } from '@livekit/rtc-node';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import { CALLER_RATE } from '../../agent/src/caller/caller.js';
import { HEALTH_SCRIPT } from '../../lib/service/health-check.js';
import { peakDb } from '../../local/audio/wav.js';
import { type CallOutcome, CallRunner } from '../../local/caller/call-runner.js';
import { type EmulatorProcess, startEmulatorProcess } from '../../local/dev/emulator-process.js';
import { imageCommand } from '../../local/dev/image-command.js';
import { type LiveKitServer, startLiveKitServer } from '../../local/livekit/server.js';
import { ManagedProcess } from '../../local/process/managed-process.js';
import { freePort } from '../support/free-port.js';

const image = process.argv[2] ?? 'nova-sonic-agent';
const inImage = fileURLToPath(new URL('../../.ci/in-image', import.meta.url));
const READY_MS = 60_000;

/** Runs a script in the image; returns its output. */
const shell = (script: string, ...variables: string[]) =>
  execFileSync(inImage, [image, ...variables, '--', 'sh', '-c', script], { encoding: 'utf8' });

const onStatus = (line: string) => process.stderr.write(`${line}\n`);

test('it is Node 24, not root, on a read-only file system with a writable /tmp', () => {
  const [version, uid, root, tmp] = shell(
    'node --version; id -u; touch /app/x 2>/dev/null && echo writable || echo read-only; touch /tmp/x && echo writable',
  )
    .trim()
    .split('\n');
  assert.match(version ?? '', /^v24\./);
  assert.equal(uid, '1000');
  assert.equal(root, 'read-only');
  assert.equal(tmp, 'writable');
});

test('its packages take less than 120 MB and include no development packages', (context) => {
  const size = Number(shell('du -sm /app/node_modules').split('\t')[0]);
  context.diagnostic(`node_modules: ${size} MB`);
  assert.ok(size < 120, `${size} MB`);
  const development = ['typescript', 'tsup', 'esbuild', 'tsx', 'jest', '@types', 'aws-cdk-lib'];
  for (const name of [...development, '@biomejs', 'text2wav', '@typescript']) {
    assert.equal(shell(`ls -d /app/node_modules/${name} 2>/dev/null || true`), '', name);
  }
});

test('it contains no compiler, source, source map or secret', () => {
  const none = (script: string) => assert.equal(shell(script).trim(), '', script);
  none('for tool in gcc cc make tsc python3; do command -v $tool; done; true');
  none('find /app/agent -name "*.ts" -o -name "*.map" -o -name "*.md" -o -name "*.test.js"');
  none('find /app -name ".env*" -o -name "*.pem" -o -name ".npmrc" -o -name "credentials"');
  none('env | grep -iE "secret|api_key|password|token" || true');
});

test('it trusts the public certificate authorities', () => {
  const count = Number(shell('grep -c BEGIN /etc/ssl/certs/ca-certificates.crt'));
  assert.ok(count > 50, `${count} certificates`);
});

test('without configuration it names what is missing and exits', () => {
  const result = shell('node dist/main.js 2>&1; echo "code $?"');
  assert.match(result, /LIVEKIT_URL is not set/);
  assert.match(result, /code 2/);
});

after(() => dispose());

const HOSTED = { name: 'a call in a host of several', CALLS_PER_PROCESS: '2' };
const ALONE = { name: 'a call in a process of its own', CALLS_PER_PROCESS: '1' };

for (const { name, CALLS_PER_PROCESS } of [HOSTED, ALONE])
  test(name, async (context) => {
    let livekit: LiveKitServer;
    let emulator: EmulatorProcess;
    let worker: ManagedProcess;
    const lines: string[] = [];
    const healthPort = String(await freePort());

    /** Runs the health check of the task definition. */
    const health = (mark: string) => {
      try {
        execFileSync(
          inImage,
          [
            image,
            `HEALTH_PORT=${healthPort}`,
            `HEALTH_MARK=${mark}`,
            '--',
            'node',
            '-e',
            HEALTH_SCRIPT,
          ],
          { stdio: 'pipe' },
        );
        return 'healthy';
      } catch {
        return 'unhealthy';
      }
    };

    before(async () => {
      livekit = await startLiveKitServer({ onStatus });
      emulator = await startEmulatorProcess({ onStatus });
      assert.equal(health('/tmp/a'), 'unhealthy');
      const environment = {
        LIVEKIT_URL: livekit.url,
        LIVEKIT_API_KEY: livekit.apiKey,
        LIVEKIT_API_SECRET: livekit.apiSecret,
        AWS_ENDPOINT_URL_BEDROCK_RUNTIME: emulator.url,
        AWS_ACCESS_KEY_ID: 'emulator',
        AWS_SECRET_ACCESS_KEY: 'emulator-secret',
        BEDROCK_REGIONS: 'us-east-1',
        CALLS_PER_TASK: '2',
        CALLS_PER_PROCESS,
        // The machine may be busy with other things, which is not under test.
        CPU_LOAD_THRESHOLD_PERCENT: '0',
        DRAIN_TIMEOUT_S: '20',
        HEALTH_PORT: healthPort,
      };
      const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
      worker = new ManagedProcess(
        'worker',
        inImage,
        [image, ...variables, '--', ...imageCommand()],
        {
          onLine: (line) => lines.push(line),
          graceMs: 30_000,
        },
      );
    });

    after(async () => {
      await worker?.stop();
      await emulator?.process.stop();
      await livekit?.stop();
    });

    await context.test('registers with a real LiveKit server, then is healthy', async () => {
      await worker.waitForLine((line) => line.includes('"msg":"ready"'), READY_MS);
      assert.equal(health('/tmp/a'), 'healthy');
    });

    await context.test('answers a spoken question audibly', async (step) => {
      const speech = new SpeechSynthesizer();
      const voice = { id: 'caller', locale: 'en-US', register: 'masculine' } as const;
      const text = 'What time is it in Tokyo?';
      const samples = await speech.say(text, voice, CALLER_RATE);
      await speech.close();
      const runner = new CallRunner(
        [{ name: text, recording: { sampleRate: CALLER_RATE, samples }, bargeIn: false }],
        { patienceMs: 30_000, print: (line) => step.diagnostic(line) },
      );
      let outcome: CallOutcome;
      try {
        outcome = await runner.run(livekit);
      } finally {
        await runner.hangUp();
      }
      assert.ok(outcome.turns[0]?.firstSoundAt, 'no answer was audible');
      const peak = peakDb(runner.recordings.agent.samples);
      step.diagnostic(`peak of the agent's voice: ${peak.toFixed(1)} dBFS`);
      assert.ok(peak > -20, `${peak} dBFS`);
    });

    await context.test('logs a summary of the call', async () => {
      const ended = await worker.waitForLine((line) => line.includes('"msg":"call ended"'), 15_000);
      const summary = JSON.parse(ended) as Record<string, unknown>;
      for (const field of ['call_id', 'room', 'seconds', 'turns', 'cost_usd', 'end_reason']) {
        assert.ok(field in summary, `"call ended" has no ${field}: ${ended}`);
      }
      assert.ok(
        lines.some((line) => line.includes('"SlotUtilization"')),
        'no metric was published',
      );
    });

    await context.test('exits on SIGTERM with code 0', async () => {
      await worker.stop();
      assert.equal(await worker.exited, 0);
      assert.equal(health('/tmp/a'), 'unhealthy');
    });
  });
