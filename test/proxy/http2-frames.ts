/** HTTP/2 frames, byte by byte (RFC 9113 §4.1), for what no client library would send. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** RFC 9113 §6, by name. */
export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
export const ACK = 1;

/** One frame. */
export function frame(
  type: number,
  flags: number,
  on: { stream?: number; payload?: Uint8Array } = {},
): Buffer {
  const { stream = 0, payload = new Uint8Array(0) } = on;
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block without any compression (RFC 7541 §6.2.2); texts are octets as latin1. */
export function block(...fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  fields.forEach((text, i) => {
    if (i % 2 === 0) parts.push(Buffer.from([0]));
    parts.push(lengthOf(text), Buffer.from(text, 'latin1'));
  });
  return Buffer.concat(parts);
}

/** An integer with a prefix of seven bits (RFC 7541 §5.1). */
function lengthOf({ length }: string): Buffer {
  if (length < 127) return Buffer.from([length]);
  const octets = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) + 128);
  return Buffer.from([...octets, rest]);
}

/** The fields of a plain GET. */
export const GET = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'sidecar'] as const;

/** A frame that was heard. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The whole frames of some bytes, and what is not one yet. */
export function readFrames(bytes: Buffer): { readonly frames: readonly Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  for (;;) {
    const end = at + 9 + (at + 9 <= bytes.length ? bytes.readUIntBE(at, 3) : 0);
    if (at + 9 > bytes.length || end > bytes.length) return { frames, rest: bytes.subarray(at) };
    const [type, flags] = [bytes.readUInt8(at + 3), bytes.readUInt8(at + 4)];
    frames.push({ type, flags, stream: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, end) });
    at = end;
  }
}

/** What a client says first (RFC 9113 §3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** A connection after its preface; it remembers what it heard. */
export class FrameAgent {
  readonly socket: Socket;
  readonly #closed: Promise<unknown>;
  readonly #frames: Frame[] = [];
  #rest: Buffer = Buffer.alloc(0);

  /** On a connection of its own, or on one whose TLS agreed on HTTP/2. */
  constructor(to: number | Socket) {
    this.socket = typeof to === 'number' ? connect(to, '127.0.0.1') : to;
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes: Buffer) => {
      const { frames, rest } = readFrames(Buffer.concat([this.#rest, bytes]));
      this.#frames.push(...frames);
      this.#rest = rest;
    });
    this.#closed = once(this.socket, 'close');
    this.socket.write(PREFACE);
    this.socket.write(frame(TYPE.SETTINGS, 0));
  }

  /** What came until these streams ended, and the code of the first's reset or of the connection's GOAWAY; -1: just closed. */
  async answer(
    streams: readonly number[] = [1],
  ): Promise<{ text: string; reset: number; frames: readonly Frame[] }> {
    for (;;) {
      const frames = this.#frames;
      const ends = streams.map((stream) => frames.find((one) => endsStream(one, stream)));
      const over = frames.find(endsAll) ?? (ends.includes(undefined) ? undefined : ends[0]);
      if (over || this.socket.closed) {
        const data = frames.filter(({ type }) => type === TYPE.DATA).map(({ payload }) => payload);
        return { text: Buffer.concat(data).toString(), reset: over ? codeOf(over) : -1, frames };
      }
      await Promise.race([once(this.socket, 'data'), this.#closed]);
    }
  }

  /** Everything heard, as frames, once the connection is closed. */
  async closed(): Promise<readonly Frame[]> {
    await this.#closed;
    return this.#frames;
  }
}

/** With NO_ERROR, what runs goes on. */
function endsAll({ type, payload }: Frame): boolean {
  return type === TYPE.GOAWAY && payload.readUInt32BE(4) > 0;
}

function endsStream({ type, flags, stream }: Frame, wanted: number): boolean {
  if (stream !== wanted) return false;
  return type === TYPE.RST_STREAM || (type <= TYPE.HEADERS && (flags & END_STREAM) > 0);
}

function codeOf({ type, payload }: Frame): number {
  if (type === TYPE.RST_STREAM) return payload.readUInt32BE(0);
  return type === TYPE.GOAWAY ? payload.readUInt32BE(4) : 0;
}
