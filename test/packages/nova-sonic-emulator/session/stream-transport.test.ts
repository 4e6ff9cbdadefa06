// SPDX-License-Identifier: Apache-2.0
// Frames in and out over a stream that is none: what waits for the headers, what holds a client back, how it ends.
import { EventEmitter } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { describe, expect, it } from '@jest/globals';
import { codec } from '../../../../packages/nova-sonic-emulator/src/http2/frames.js';
import type { ChunkVerifier } from '../../../../packages/nova-sonic-emulator/src/http2/signature.js';
import { EmulatedNetwork } from '../../../../packages/nova-sonic-emulator/src/network/network.js';
import type { NetworkConditions } from '../../../../packages/nova-sonic-emulator/src/network/network-conditions.js';
import type { HttpError } from '../../../../packages/nova-sonic-emulator/src/protocol/errors.js';
import { SeededRandom } from '../../../../packages/nova-sonic-emulator/src/random.js';
import { StreamTransport } from '../../../../packages/nova-sonic-emulator/src/session/stream-transport.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { chunk } from '../support/raw-client.js';

/** The server's side of a stream: what is done to it is listed. */
class FakeHttp2Stream extends EventEmitter {
  readonly done: unknown[] = [];
  destroyed = false;
  writable = true;
  readableEnded = false;
  respond(headers: Record<string, unknown>): void {
    this.done.push(`headers ${headers[':status']}`);
  }
  write(bytes: Uint8Array): void {
    this.done.push(`wrote ${Buffer.from(bytes)}`);
  }
  end(then: () => void): void {
    this.writable = false;
    this.done.push('end');
    then();
  }
  close(code: number): void {
    this.done.push(`close ${code}`);
    this.destroyed = true;
    this.emit('close');
  }
  pause(): void {
    this.done.push('pause');
  }
  resume(): void {
    this.done.push('resume');
  }
}

const bytes = (text: string) => Buffer.from(text);
const event = (name: string) => Buffer.from(chunk(JSON.stringify({ event: { [name]: {} } })));

function open(
  options: {
    network?: Partial<NetworkConditions>;
    verifier?: { verify(): unknown };
    /** The handler answers an event as this says. */
    onChunk?: (name: string, transport: StreamTransport) => void;
  } = {},
) {
  const clock = new ManualClock();
  const network = new EmulatedNetwork(options.network);
  const stream = new FakeHttp2Stream();
  const gate = { silent: false, held: false, holdHeaders: () => gate.silent || gate.held };
  const told: unknown[] = [];
  const refuse = (_: unknown, error: HttpError, id: string) =>
    stream.done.push(`refused ${error.status} ${id}`);
  const transport: StreamTransport = new StreamTransport(
    { clock, network, refuse },
    stream as unknown as ServerHttp2Stream,
    'request',
    options.verifier as ChunkVerifier | undefined,
    gate,
    {
      onChunk: (read) => {
        const name = Object.keys((read as { event: object }).event)[0] as string;
        told.push(name);
        options.onChunk?.(name, transport);
      },
      onInputError: (error) => told.push(String(error)),
      onInvalidSignature: (why) => told.push(`signature: ${why}`),
      onInputEnd: () => told.push('input end'),
      onHeadersSent: () => told.push('headers'),
      onAborted: (error) => told.push(`aborted: ${error.message}`),
      onClose: () => told.push('closed'),
    },
    new SeededRandom(1),
  );
  const take = (list: unknown[]) => list.splice(0);
  return {
    clock,
    network,
    stream,
    gate,
    transport,
    told: () => take(told),
    done: () => take(stream.done),
    send: (data: Buffer) => stream.emit('data', data),
  };
}

describe('output', () => {
  it('waits for the headers, which are sent once', () => {
    const { transport, done, told } = open();
    transport.write(bytes('a'));
    transport.write(bytes('b'));
    expect(done()).toEqual([]);
    expect(transport.headersSent).toBe(false);
    transport.sendHeaders();
    transport.sendHeaders();
    transport.write(bytes('c'));
    expect(done()).toEqual(['headers 200', 'wrote a', 'wrote b', 'wrote c']);
    expect(told()).toEqual(['headers']);
    expect(transport.headersSent).toBe(true);
  });

  it('is held as long as the gate holds the headers, and none of a silent session comes', () => {
    const { transport, gate, done } = open();
    gate.held = true;
    transport.write(bytes('a'));
    transport.sendHeaders();
    expect(done()).toEqual([]);
    gate.held = false;
    transport.sendHeaders();
    gate.silent = true;
    transport.write(bytes('b'));
    transport.end();
    expect(done()).toEqual(['headers 200', 'wrote a']);
  });

  it('takes its time on a network, and stops with the stream', async () => {
    const { transport, stream, clock, done } = open({ network: { latencyMs: 50 } });
    transport.sendHeaders();
    transport.write(bytes('a'));
    await clock.pass(49);
    expect(done()).toEqual([]);
    await clock.pass(1);
    expect(done()).toEqual(['headers 200', 'wrote a']);
    transport.write(bytes('b'));
    stream.emit('close');
    await clock.pass(100);
    expect(done()).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('input', () => {
  it('is read frame by frame, however it is cut', () => {
    const { send, told } = open();
    const all = Buffer.concat([event('one'), event('two')]);
    send(all.subarray(0, 10));
    send(all.subarray(10, all.length - 1));
    expect(told()).toEqual(['one']);
    send(all.subarray(all.length - 1));
    expect(told()).toEqual(['two']);
  });

  it('is not read on once the session is over, in the middle of a packet', () => {
    const { send, stream, told } = open({ onChunk: (_, transport) => transport.end() });
    send(Buffer.concat([event('one'), event('two')]));
    send(event('three'));
    stream.emit('end');
    expect(told()).toEqual(['one', 'headers']);
  });

  it('that ends in the middle of a message is an error, else an end', () => {
    const whole = open();
    whole.send(event('one'));
    whole.stream.emit('end');
    expect(whole.told()).toEqual(['one', 'input end']);
    const cut = open();
    cut.send(event('one').subarray(0, 20));
    cut.stream.emit('end');
    expect(cut.told()).toEqual([expect.stringContaining('in the middle of a message')]);
  });

  it('whose frame is broken is an error', () => {
    const { send, told } = open();
    const frame = event('one');
    frame[frame.length - 1] = (frame[frame.length - 1] as number) ^ 1;
    send(frame);
    expect(told()).toEqual([expect.stringContaining('checksum')]);
  });

  it('whose signature is wrong is not read', () => {
    const verify = () => {
      throw new Error('the chain is broken');
    };
    const { send, told } = open({ verifier: { verify } });
    send(event('one'));
    expect(told()).toEqual(['signature: the chain is broken']);
  });

  it('is read from within its signature; an empty one is the end, which is no event', () => {
    const verified: unknown[] = [];
    const { send, told } = open({ verifier: { verify: () => verified.push(1) } });
    const signed = (body: Uint8Array) =>
      codec.encode({ headers: { ':date': { type: 'timestamp', value: new Date(0) } }, body });
    send(Buffer.from(signed(event('one'))));
    send(Buffer.from(signed(new Uint8Array())));
    expect(told()).toEqual(['one']);
    expect(verified).toHaveLength(2);
  });

  it('stays at the client when more than a network holds is on its way', async () => {
    const { send, clock, done, told } = open({ network: { latencyMs: 10 } });
    const name = 'a'.repeat(20_000);
    for (let i = 0; i < 3; i++) send(event(name));
    expect(done()).toEqual(['pause']);
    await clock.pass(10);
    expect(told()).toEqual([name, name, name]);
    expect(done()).toEqual(['resume']);
    send(event('small'));
    expect(done()).toEqual([]);
  });
});

describe('the network', () => {
  it('stalls both ways', async () => {
    const { network, transport, send, clock, told, done } = open();
    transport.sendHeaders();
    done();
    network.stall(100);
    transport.write(bytes('a'));
    send(event('one'));
    await clock.pass(99);
    expect([told(), done()]).toEqual([['headers'], []]);
    await clock.pass(1);
    expect([told(), done()]).toEqual([['one'], ['wrote a']]);
  });

  it('knows nothing of a stream that is closed, and drops what was on its way from it', async () => {
    const { network, stream, send, clock, told } = open({ network: { latencyMs: 50 } });
    send(event('one'));
    stream.emit('close');
    network.stall(100);
    await clock.pass(1000);
    expect(told()).toEqual(['closed']);
    expect(clock.pending).toBe(0);
  });
});

describe('the end', () => {
  it('comes after what was written; a client that goes on sending is cut off 100 ms later', async () => {
    const { transport, clock, done } = open();
    transport.write(bytes('a'));
    transport.end();
    expect(done()).toEqual(['headers 200', 'wrote a', 'end']);
    await clock.pass(99);
    expect(done()).toEqual([]);
    await clock.pass(1);
    expect(done()).toEqual(['close 0']);
  });

  it.each<[string, (stream: FakeHttp2Stream) => void]>([
    ['has sent everything', (stream) => (stream.readableEnded = true)],
    ['has gone meanwhile', (stream) => (stream.destroyed = true)],
  ])('needs no cut for a client that %s', async (_, leave) => {
    const { transport, stream, clock, done } = open();
    leave(stream);
    if (stream.destroyed) {
      stream.destroyed = false;
      transport.end();
      stream.destroyed = true;
    } else transport.end();
    done();
    await clock.pass(1000);
    expect(done()).toEqual([]);
  });

  it('can be made of a session that a fault has silenced, 200 ms later', async () => {
    const { transport, gate, clock, done } = open();
    gate.silent = true;
    transport.end();
    transport.cancelSoon();
    await clock.pass(199);
    expect(done()).toEqual([]);
    await clock.pass(1);
    expect(done()).toEqual(['close 8']);
    transport.cancelSoon();
    await clock.pass(1000);
    expect(done()).toEqual([]);
  });

  it('by a refusal ends the input too', async () => {
    const { transport, send, clock, done, told } = open({ network: { latencyMs: 20 } });
    transport.refuse({ status: 403 } as HttpError);
    send(event('one'));
    await clock.pass(20);
    expect(done()).toEqual(['refused 403 request']);
    expect(told()).toEqual([]);
  });

  it('by a broken connection is told', () => {
    const { stream, told } = open();
    stream.emit('error', new Error('reset'));
    stream.emit('close');
    expect(told()).toEqual(['aborted: reset', 'closed']);
  });
});
