// SPDX-License-Identifier: Apache-2.0
// A reply that the service stops because of a noise: the model is asked for the rest of it.
import { describe, expect, test } from '@jest/globals';
import { beginContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

const RESUME = expect.stringContaining('A noise was taken for my voice');

/** A question, and a reply of some length that a noise stops after 400 ms; its speech ends, and 1.9 s pass. */
function stopped(replyMs = 4_000) {
  const rig = beginContinuation();
  rig.hear(1_000, true);
  const stream = rig.stream(0);
  const say = (...events: Parameters<typeof stream.say>) => stream.say(...events);
  say(serverEvents.speechStart(), serverEvents.speechEnd(), ...serverEvents.userText('Hi.'));
  say(...serverEvents.reply('A long story.', replyMs));
  const noise = () => {
    rig.hear(400);
    say(serverEvents.speechStart());
    rig.hear(500);
    say(serverEvents.speechEnd());
    rig.hear(1_900);
  };
  noise();
  return {
    rig,
    stream,
    say,
    noise,
    resumes: () => stream.texts.filter((t) => t.includes('noise')),
  };
}

describe('a reply that a noise has stopped', () => {
  test('is asked for again two seconds after the end of a speech without words', () => {
    const { rig, stream, resumes } = stopped();
    expect(rig.types()).not.toContain('failed');
    expect(resumes()).toEqual([]);
    rig.hear(200);
    expect(stream.texts.at(-1)).toEqual(RESUME);
    rig.hear(60_000);
    expect(resumes()).toHaveLength(1);
    expect(rig.failures).toEqual([]);
    expect(rig.streams).toHaveLength(1);
  });

  test.each<[string, (call: ReturnType<typeof stopped>) => void]>([
    ['words followed', ({ say }) => say(...serverEvents.userText('Stop!'))],
    ['the model goes on', ({ say }) => say(...serverEvents.reply('As I said.', 80))],
    ['somebody speaks again', ({ say }) => say(serverEvents.speechStart())],
    [
      'the application has asked something',
      ({ rig }) => {
        rig.conversation.request('request_1', 'Say goodbye.');
        rig.continuation.sendRequests();
      },
    ],
  ])('is not when %s', (_, happens) => {
    const call = stopped();
    happens(call);
    call.rig.hear(5_000);
    expect(call.resumes()).toEqual([]);
  });

  test.each([
    [1_400, 0],
    [1_500, 1],
  ])('of %i ms, of which 400 were heard, is asked for %i times', (ms, times) => {
    const { rig, resumes } = stopped(ms);
    rig.hear(1_000);
    expect(resumes()).toHaveLength(times);
  });

  test('is asked for three times in a row, and again after words', () => {
    const { rig, say, noise, resumes } = stopped();
    rig.hear(200);
    for (let i = 0; i < 4; i += 1) {
      say(...serverEvents.reply('As I was saying.', 4_000));
      noise();
      rig.hear(200);
    }
    expect(resumes()).toHaveLength(3);
    say(serverEvents.speechStart(), serverEvents.speechEnd(), ...serverEvents.userText('Go on.'));
    say(...serverEvents.reply('As I was saying.', 4_000));
    noise();
    rig.hear(200);
    expect(resumes()).toHaveLength(4);
  });
});
