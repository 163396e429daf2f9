/** An origin that speaks HTTP/2 and writes down what reaches it, with a reader of its own, frame by frame. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HeaderDecoder } from '../proxy/hpack.ts';
import {
  ACK,
  block,
  END_HEADERS,
  END_STREAM,
  frame,
  PREFACE,
  readFrames,
  TYPE,
} from '../proxy/http2-frames.ts';
import type { Frame } from '../proxy/http2-frames.ts';
import { hasLength, readFields, valuesOf } from './http2-fields.ts';
import type { Fields } from './http2-fields.ts';
import { answerBody } from './received.ts';
import type { Book, Received } from './received.ts';

/** Serves one connection on which HTTP/2 was agreed, or is just spoken. */
export function recordHttp2(socket: Socket, book: Book): void {
  const reader = new FrameReader(socket, book);
  let held: Buffer = Buffer.alloc(0);
  let greeted = false;
  socket.write(frame(TYPE.SETTINGS, 0));
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    if (!greeted && held.length < PREFACE.length) return;
    if (!greeted && held.toString('latin1', 0, PREFACE.length) !== PREFACE) return reader.soil('no preface');
    const { frames, rest } = readFrames(greeted ? held : held.subarray(PREFACE.length));
    greeted = true;
    held = rest;
    for (const one of frames) if (!socket.destroyed) reader.take(one);
  });
  socket.on('close', () => reader.close());
}

/** A request under way. */
interface Running {
  readonly fields: Fields;
  readonly scripted: boolean;
  body: string;
}

const PSEUDO = [':method', ':scheme', ':authority', ':path'];
const PADDED = 8;

/** One connection: knows what may come when, and takes nothing else. */
class FrameReader {
  readonly #socket: Socket;
  readonly #book: Book;
  readonly #decoder = new HeaderDecoder();
  readonly #running = new Map<number, Running>();
  #last = 0;
  #block: { readonly stream: number; readonly ended: boolean; readonly parts: readonly Buffer[] } | undefined;

  constructor(socket: Socket, book: Book) {
    this.#socket = socket;
    this.#book = book;
  }

  take({ type, flags, stream, payload }: Frame): void {
    if (this.#block && (type !== TYPE.CONTINUATION || stream !== this.#block.stream))
      return this.soil('a block in pieces');
    if (type === TYPE.SETTINGS || type === TYPE.PING) {
      if (!(flags & ACK))
        this.#socket.write(frame(type, ACK, { payload: type === TYPE.PING ? payload : Buffer.alloc(0) }));
    } else if (type === TYPE.HEADERS && !(flags & ~(END_HEADERS | END_STREAM))) {
      this.#block = { stream, ended: (flags & END_STREAM) > 0, parts: [payload] };
      if (flags & END_HEADERS) this.#section();
    } else if (type === TYPE.CONTINUATION && this.#block) {
      this.#block = { ...this.#block, parts: [...this.#block.parts, payload] };
      if (flags & END_HEADERS) this.#section();
    } else if (type === TYPE.DATA && !(flags & PADDED)) this.#data(stream, payload, (flags & END_STREAM) > 0);
    else if (type === TYPE.RST_STREAM && stream <= this.#last) this.#giveUp(stream);
    else if (type !== TYPE.GOAWAY && type !== TYPE.WINDOW_UPDATE) this.soil(`frame ${type} on ${stream}`);
  }

  /** What no strict reader takes for HTTP/2 ends the connection. */
  soil(what: string): void {
    this.#book.dirty.push(what);
    this.#socket.destroy();
  }

  close(): void {
    for (const stream of [...this.#running.keys()]) this.#giveUp(stream);
  }

  #section(): void {
    const { stream, ended, parts } = this.#block ?? { stream: 0, ended: false, parts: [] };
    this.#block = undefined;
    const flat = this.#decoder.decode(Buffer.concat(parts));
    const running = this.#running.get(stream);
    const fields = readFields(flat, running ? [] : PSEUDO);
    if (!fields || (running ? !ended : !this.#isHead(fields, stream)))
      return this.soil(`${stream}: ${flat?.join('\n')}`);
    if (running) return this.#finish(stream, running, fields.list);
    this.#last = stream;
    const opened = {
      fields,
      body: '',
      scripted: this.#book.script(receivedOf(fields), { socket: this.#socket, stream }),
    };
    this.#running.set(stream, opened);
    if (ended) this.#finish(stream, opened);
  }

  #data(stream: number, payload: Buffer, ended: boolean): void {
    const running = this.#running.get(stream);
    if (!running) return this.soil(`data on ${stream}`);
    running.body += payload.toString('latin1');
    if (ended) this.#finish(stream, running);
  }

  #finish(stream: number, { fields, body, scripted }: Running, trailers: Received['trailers'] = []): void {
    this.#running.delete(stream);
    if (!hasLength(fields, body.length)) return this.soil(`${body.length} octets on ${stream}`);
    const request = { ...receivedOf(fields), body, trailers, whole: true };
    this.#book.received.push(request);
    if (scripted) return;
    const json = answerBody(request);
    const bodiless = request.method === 'HEAD';
    const head = block(':status', '200', 'content-length', String(json.length));
    this.#socket.write(
      frame(TYPE.HEADERS, END_HEADERS | (bodiless ? END_STREAM : 0), { stream, payload: head }),
    );
    if (!bodiless) this.#socket.write(frame(TYPE.DATA, END_STREAM, { stream, payload: Buffer.from(json) }));
  }

  /** RFC 9113 §5.1.1, §8.3.1; `te` is the one that may stand, and `host` has no place beside `:authority`. */
  #isHead(fields: Fields, stream: number): boolean {
    const { pseudo } = fields;
    const scheme = this.#socket instanceof TLSSocket ? 'https' : 'http';
    const right = pseudo.get(':scheme') === scheme && /^\/[\x21-\x7e]*$/.test(pseudo.get(':path') ?? '');
    const host = valuesOf(fields, 'host').length + valuesOf(fields, 'trailer').length;
    const isNew = stream > this.#last && stream % 2 === 1;
    return isNew && right && host === 0 && valuesOf(fields, 'te').join() === 'trailers';
  }

  #giveUp(stream: number): void {
    const running = this.#running.get(stream);
    this.#running.delete(stream);
    if (running) this.#book.received.push({ ...receivedOf(running.fields), body: running.body });
  }
}

function receivedOf({ pseudo, list }: Fields): Received {
  const [method = '', target = ''] = [pseudo.get(':method'), pseudo.get(':path')];
  const headers = [
    ['host', pseudo.get(':authority') ?? ''] as const,
    ...list.filter(([name]) => name !== 'te'),
  ];
  return { method, target, headers, body: '', trailers: [], whole: false };
}
