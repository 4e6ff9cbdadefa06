// SPDX-License-Identifier: Apache-2.0
// A Bedrock endpoint that does exactly what a test scripts: for event orders and failures that no emulator would produce.
import { EventEmitter, on, once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

type Json = Record<string, unknown>;

/** An event of the client as it came over the wire. */
export interface ReceivedEvent {
  readonly name: string;
  readonly body: Json;
}

function encode(headers: Record<string, string>, payload: string): Buffer {
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const key = Buffer.from(name);
      const text = Buffer.from(value);
      const size = Buffer.alloc(2);
      size.writeUInt16BE(text.length);
      return Buffer.concat([Buffer.from([key.length]), key, Buffer.from([7]), size, text]);
    }),
  );
  const body = Buffer.from(payload);
  const message = Buffer.alloc(12 + head.length + body.length + 4);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  head.copy(message, 12);
  body.copy(message, 12 + head.length);
  message.writeUInt32BE(crc32(message.subarray(0, message.length - 4)), message.length - 4);
  return message;
}

/** The payload of the message inside the signed message; undefined for the empty one at the end. */
function decode(outer: Buffer): string | undefined {
  const payload = (message: Buffer) =>
    message.subarray(12 + message.readUInt32BE(4), message.readUInt32BE(0) - 4);
  const inner = payload(outer);
  return inner.length === 0 ? undefined : payload(inner).toString('utf8');
}

/** The network between client and service: each way, in order. */
export interface NetworkDelay {
  readonly delayMs: number;
  readonly jitterMs: number;
}

/** For whole test files: `SCRIPTED_DELAY_MS=60 npx jest …` puts every scripted service so far away. */
const DEFAULT_DELAY: NetworkDelay = {
  delayMs: Number(process.env.SCRIPTED_DELAY_MS ?? 0),
  jitterMs: Number(process.env.SCRIPTED_DELAY_MS ?? 0) / 3,
};

/** One direction of the network. Without a delay things happen at once. */
class DelayedLine {
  #last: Promise<void> = Promise.resolve();

  constructor(readonly network: NetworkDelay) {}

  send(run: () => void): void {
    const { delayMs, jitterMs } = this.network;
    if (delayMs + jitterMs === 0) {
      run();
      return;
    }
    const arrived = new Promise<void>((resolve) =>
      setTimeout(resolve, delayMs + Math.random() * jitterMs),
    );
    this.#last = this.#last.then(() => arrived).then(run);
  }
}

/** One stream of a client, as the test's hand on the service. */
export class ScriptedStream extends EventEmitter {
  readonly said: ReceivedEvent[] = [];
  readonly region: string;
  ended = false;
  #buffer = Buffer.alloc(0);
  readonly #toService: DelayedLine;
  readonly #toClient: DelayedLine;

  constructor(
    readonly raw: http2.ServerHttp2Stream,
    readonly headers: http2.IncomingHttpHeaders,
    network: NetworkDelay = DEFAULT_DELAY,
  ) {
    super();
    this.#toService = new DelayedLine(network);
    this.#toClient = new DelayedLine(network);
    this.setMaxListeners(0);
    this.region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? '';
    raw.on('data', (data: Buffer) => this.#data(data));
    raw.on('error', () => {});
    raw.on('end', () => {
      this.ended = true;
      this.emit('input-end');
    });
    raw.on('close', () => this.emit('close'));
  }

  #data(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    while (this.#buffer.length >= 4 && this.#buffer.length >= this.#buffer.readUInt32BE(0)) {
      const size = this.#buffer.readUInt32BE(0);
      const text = decode(this.#buffer.subarray(0, size));
      this.#buffer = this.#buffer.subarray(size);
      if (text === undefined) continue;
      const { bytes } = JSON.parse(text) as { bytes: string };
      const { event } = JSON.parse(Buffer.from(bytes, 'base64').toString('utf8')) as {
        event: Json;
      };
      const [name, body] = Object.entries(event)[0] as [string, Json];
      const said = { name, body };
      this.#toService.send(() => {
        this.said.push(said);
        this.emit('said', said);
      });
    }
  }

  /** Names of what the client said, audio once for a run of it. */
  get names(): string[] {
    return this.said
      .map((e) =>
        e.name === 'contentStart' ? `contentStart:${e.body.type}:${e.body.role}` : e.name,
      )
      .filter((name, i, all) => name !== 'audioInput' || all[i - 1] !== 'audioInput');
  }

  /** Texts of the client with role and whether they are to be answered. */
  get texts(): Array<{ role: string; interactive: boolean; text: string }> {
    const blocks = new Map<string, { role: string; interactive: boolean; text: string }>();
    for (const { name, body } of this.said) {
      const id = String(body.contentName);
      if (name === 'contentStart' && body.type === 'TEXT') {
        blocks.set(id, {
          role: String(body.role),
          interactive: body.interactive === true,
          text: '',
        });
      }
      const block = blocks.get(id);
      if (name === 'textInput' && block) block.text += String(body.content);
    }
    return [...blocks.values()];
  }

  /** The first thing said that fits, past or yet to come. */
  async received(fits: string | ((said: ReceivedEvent) => boolean)): Promise<ReceivedEvent> {
    const match = typeof fits === 'string' ? (e: ReceivedEvent) => e.name === fits : fits;
    const past = this.said.find(match);
    if (past) return past;
    for await (const [said] of on(this, 'said', { close: ['close'] })) {
      if (match(said as ReceivedEvent)) return said as ReceivedEvent;
    }
    throw new Error(`the stream closed before it received ${fits}`);
  }

  /** Sends events of the service, headers first where they are not out yet. */
  send(...events: Json[]): void {
    this.#toClient.send(() => this.#send(events));
  }

  #send(events: readonly Json[]): void {
    if (this.raw.destroyed) return;
    if (!this.raw.headersSent) {
      this.raw.respond({ ':status': 200, 'content-type': 'application/vnd.amazon.eventstream' });
    }
    for (const event of events) {
      const payload = JSON.stringify({
        bytes: Buffer.from(JSON.stringify({ event })).toString('base64'),
      });
      this.raw.write(
        encode(
          { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' },
          payload,
        ),
      );
    }
  }

  /** Sends an exception inside the stream and ends it. */
  throw(type: string, message: string): void {
    if (!this.raw.headersSent) {
      this.raw.respond({ ':status': 200, 'content-type': 'application/vnd.amazon.eventstream' });
    }
    this.raw.end(
      encode(
        {
          ':exception-type': type,
          ':content-type': 'application/json',
          ':message-type': 'exception',
        },
        JSON.stringify({ message }),
      ),
    );
  }

  /** Sends bytes that are one event whose payload is not JSON. */
  sendRaw(payload: string): void {
    this.raw.write(
      encode(
        { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' },
        JSON.stringify({ bytes: Buffer.from(payload).toString('base64') }),
      ),
    );
  }

  /** Answers with an HTTP error instead of a stream. */
  refuse(status: number, type: string, message: string): void {
    this.raw.respond({
      ':status': status,
      'content-type': 'application/json',
      'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
    });
    this.raw.end(JSON.stringify({ message }));
  }

  /** The TCP connection is reset. */
  kill(): void {
    (this.raw.session?.socket as unknown as { resetAndDestroy?: () => void })?.resetAndDestroy?.();
    this.raw.session?.destroy();
  }

  end(): void {
    this.#toClient.send(() => this.raw.end());
  }
}

/** What a test does with each new stream, before anything else; by default the first usage event is sent. */
export type OnStream = (stream: ScriptedStream, index: number) => void;

export const usage = (input = 0, output = 0): Json => ({
  usageEvent: {
    details: {
      delta: {
        input: { speechTokens: 0, textTokens: input },
        output: { speechTokens: output, textTokens: 0 },
      },
    },
  },
});

/** Takes a stream as the service does: an event as soon as the opening is there, the end after sessionEnd. */
export const welcome: OnStream = (stream) => {
  const opened = (said: ReceivedEvent) => {
    if (said.name === 'promptStart') stream.send(usage(22));
    if (said.name === 'sessionEnd') stream.end();
  };
  stream.on('said', opened);
};

export class ScriptedServer extends EventEmitter {
  readonly streams: ScriptedStream[] = [];
  onStream: OnStream = welcome;
  readonly #server = http2.createServer();
  readonly #sessions = new Set<http2.ServerHttp2Session>();

  static async start(
    onStream: OnStream = welcome,
    network?: NetworkDelay,
  ): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    server.onStream = onStream;
    server.setMaxListeners(0);
    server.#server.on('session', (session) => {
      server.#sessions.add(session);
      session.on('close', () => server.#sessions.delete(session));
      session.on('error', () => {});
    });
    server.#server.on('stream', (raw, headers) => {
      const stream = new ScriptedStream(raw, headers, network);
      server.streams.push(stream);
      stream.on('said', () => server.emit('said'));
      server.onStream(stream, server.streams.length - 1);
      server.emit('stream', stream);
    });
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Streams that are open now. */
  get open(): ScriptedStream[] {
    return this.streams.filter((s) => !s.raw.destroyed && !s.raw.closed);
  }

  /** The nth stream, past or yet to come. */
  async stream(index: number): Promise<ScriptedStream> {
    while (this.streams.length <= index) await once(this, 'stream');
    return this.streams[index] as ScriptedStream;
  }

  /** The stream whose model is told something that it has to answer, past or yet to come. */
  async told(words: RegExp): Promise<ScriptedStream> {
    for (;;) {
      const told = ({ texts }: ScriptedStream) =>
        texts.some(({ interactive, text }) => interactive && words.test(text));
      const stream = this.streams.find(told);
      if (stream) return stream;
      await once(this, 'said');
    }
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}
