// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import {
  NovaSonicAccess,
  type NovaSonicAccessProps,
} from '../../../lib/access/nova-sonic-access.js';
import { flat, stackOf, statements, templateWith } from '../synth.js';

const bedrock = (context = {}) =>
  statements(templateWith(context)).filter(({ Action }) =>
    Action.some((action) => action.startsWith('bedrock:')),
  );

describe('the right to call the model', () => {
  test('is bedrock:InvokeModel on exactly the model in exactly the Region', () => {
    expect(bedrock()).toHaveLength(1);
    const [only] = bedrock();
    expect(only?.Effect).toBe('Allow');
    expect(only?.Action).toEqual(['bedrock:InvokeModel']);
    expect(only?.Resource.map(flat)).toEqual([
      'arn:<AWS::Partition>:bedrock:us-east-1::foundation-model/amazon.nova-2-sonic-v1:0',
    ]);
  });

  test('has one ARN for each Region, each without an account', () => {
    const context = { bedrockRegions: ['us-west-2', 'eu-north-1'], model: 'amazon.nova-2-5-sonic' };
    expect(bedrock(context)[0]?.Resource.map(flat).sort()).toEqual([
      'arn:<AWS::Partition>:bedrock:eu-north-1::foundation-model/amazon.nova-2-5-sonic',
      'arn:<AWS::Partition>:bedrock:us-west-2::foundation-model/amazon.nova-2-5-sonic',
    ]);
  });

  test('has both ARNs for an inference profile, and the Regions to which it routes', () => {
    const context = { model: 'us.amazon.nova-2-sonic-v1:0' };
    expect(bedrock(context)[0]?.Resource.map(flat).sort()).toEqual([
      'arn:<AWS::Partition>:bedrock:us-east-1::foundation-model/amazon.nova-2-sonic-v1:0',
      'arn:<AWS::Partition>:bedrock:us-east-1:<AWS::AccountId>:inference-profile/us.amazon.nova-2-sonic-v1:0',
      'arn:<AWS::Partition>:bedrock:us-west-2::foundation-model/amazon.nova-2-sonic-v1:0',
    ]);
  });

  test('has the ARN without a Region for a global profile', () => {
    const context = { model: 'global.amazon.nova-2-sonic-v1:0' };
    expect(bedrock(context)[0]?.Resource.map(flat)).toContain(
      'arn:<AWS::Partition>:bedrock:::foundation-model/amazon.nova-2-sonic-v1:0',
    );
  });
});

describe('alone in another stack', () => {
  const access = (props?: NovaSonicAccessProps) => {
    let made: NovaSonicAccess | undefined;
    stackOf((scope) => {
      made = new NovaSonicAccess(scope, 'NovaSonic', props);
    });
    return made as NovaSonicAccess;
  };

  test('knows the streams of all Regions', () => {
    expect(access().streamQuota).toBe(20);
    expect(
      access({ regions: ['us-east-1', 'us-west-2'], streamQuotaPerRegion: 50 }).streamQuota,
    ).toBe(100);
  });

  test.each<[NovaSonicAccessProps, string]>([
    [{ regions: [] }, '"regions" cannot be empty: name a Region.'],
    [
      { model: 'amazon.nova-sonic-v1:0' },
      'The model "amazon.nova-sonic-v1:0" reached its end of life on 2026-09-14 and Bedrock no longer serves it: use amazon.nova-2-sonic-v1:0, or set "forceModel" to true if your account still has it.',
    ],
    [
      { regions: ['eu-central-1', 'eu-west-1'] },
      ['eu-central-1', 'eu-west-1']
        .map(
          (region) =>
            `The Bedrock Region "${region}" does not offer amazon.nova-2-sonic-v1:0: use some of us-east-1, us-west-2, eu-north-1, ap-northeast-1, or set "forceModel" to true if it does by now.`,
        )
        .join('\n'),
    ],
    [
      { model: 'us.amazon.nova-2-sonic-v1:0', regions: ['eu-north-1'] },
      'The Bedrock Region "eu-north-1" does not offer us.amazon.nova-2-sonic-v1:0: use some of us-east-1, us-west-2, or set "forceModel" to true if it does by now.',
    ],
  ])('refuses %j', (props, sentence) => {
    expect(() => access(props)).toThrow(new Error(sentence));
  });

  test('takes what it does not know when forced', () => {
    expect(access({ model: 'amazon.nova-3-sonic', forceModel: true }).resourceArns()).toHaveLength(
      1,
    );
  });
});
