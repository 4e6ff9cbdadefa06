// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { LiveKitCredentials, secretMistake } from '../../lib/livekit-credentials.js';
import { container, flat, stackOf, templateWith } from './synth.js';

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

  test.each([
    ['nova-sonic-agent/livekit', undefined],
    [ARN, undefined],
    ['prod/livekit-secret', /ends in a hyphen and six characters like an ARN's suffix/],
    ['two words', /give the name or the complete ARN/],
    [
      'arn:aws:secretsmanager:eu-north-1:111122223333:secret:livekit',
      /ends in a hyphen and six characters, as/,
    ],
    ['arn:aws:s3:::bucket', /cannot be "arn:aws:s3:::bucket"/],
  ])('%s', (secret, sentence) => {
    if (!sentence) {
      expect(secretMistake(secret)).toBeUndefined();
      return;
    }
    expect(secretMistake(secret)).toMatch(sentence);
    expect(() => stackOf((scope) => new LiveKitCredentials(scope, 'LiveKit', { secret }))).toThrow(
      sentence,
    );
  });
});
