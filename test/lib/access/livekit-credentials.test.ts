// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { validateSecret } from '../../../lib/access/container-secret.js';
import { LiveKitCredentials } from '../../../lib/access/livekit-credentials.js';
import { container, flat, stackOf, templateWith } from '../synth.js';

const ARN = 'arn:aws:secretsmanager:eu-north-1:111122223333:secret:team/livekit-AbCdEf';
const injected = (context = {}) =>
  Object.fromEntries(
    (container(templateWith(context)).Secrets as { Name: string; ValueFrom: unknown }[]).map(
      ({ Name, ValueFrom }) => [Name, flat(ValueFrom)],
    ),
  );

describe('the secret', () => {
  test('is injected by JSON key, with no version, so that new tasks get rotated values', () => {
    const secret =
      'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:nova-sonic-agent/livekit';
    expect(injected()).toEqual({
      LIVEKIT_URL: `${secret}:LIVEKIT_URL::`,
      LIVEKIT_API_KEY: `${secret}:LIVEKIT_API_KEY::`,
      LIVEKIT_API_SECRET: `${secret}:LIVEKIT_API_SECRET::`,
    });
  });

  test('can be given by its complete ARN', () => {
    expect(injected({ secret: ARN })).toEqual({
      LIVEKIT_URL: `${ARN}:LIVEKIT_URL::`,
      LIVEKIT_API_KEY: `${ARN}:LIVEKIT_API_KEY::`,
      LIVEKIT_API_SECRET: `${ARN}:LIVEKIT_API_SECRET::`,
    });
  });

  test('is neither made nor read by the template', () => {
    const template = templateWith();
    template.resourceCountIs('AWS::SecretsManager::Secret', 0);
    expect(JSON.stringify(template.toJSON())).not.toContain('resolve:secretsmanager');
  });

  const PARTIAL = (arn: string) =>
    `"secret" cannot be "${arn}": the ARN of a secret ends in a hyphen and six characters, as "aws secretsmanager create-secret" prints it.`;
  const NEITHER = (name: string) =>
    `"secret" cannot be "${name}": give the name or the complete ARN of a secret in Secrets Manager.`;
  const LIKE_AN_ARN = (name: string) =>
    `"secret" cannot be the name "${name}", which ends in a hyphen and six characters like an ARN's suffix: give its complete ARN.`;

  test.each<[string, ((secret: string) => string) | undefined]>([
    ['nova-sonic-agent/livekit', undefined],
    [ARN, undefined],
    ['a'.repeat(512), undefined],
    ['-AbCdEf/livekit', undefined],
    ['prod/livekit-secret', LIKE_AN_ARN],
    ['two words', NEITHER],
    [' livekit', NEITHER],
    ['livekit ', NEITHER],
    ['', NEITHER],
    ['a'.repeat(513), NEITHER],
    ['arn:aws:secretsmanager:eu-north-1:111122223333:secret:livekit', PARTIAL],
    [`${ARN}:LIVEKIT_URL::`, PARTIAL],
    ['arn:aws:secretsmanager:eu-north-1:1111:secret:livekit-AbCdEf', PARTIAL],
    ['arn:aws:s3:::bucket', PARTIAL],
  ])('%s', (secret, sentence) => {
    const made = () => stackOf((scope) => new LiveKitCredentials(scope, 'LiveKit', { secret }));
    if (!sentence) {
      expect(validateSecret(secret)).toBeUndefined();
      expect(made).not.toThrow();
      return;
    }
    expect(validateSecret(secret)).toBe(sentence(secret));
    expect(made).toThrow(new Error(sentence(secret)));
  });
});
