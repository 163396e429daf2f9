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
  PING: 6,
  GOAWAY: 7,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

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

/** A connection after its preface; it remembers what it heard. */
export class FrameAgent {
  readonly socket: Socket;
  readonly #closed: Promise<unknown>;
  #heard = Buffer.alloc(0);

  /** On a connection of its own, or on one whose TLS agreed on HTTP/2. */
  constructor(to: number | Socket) {
    this.socket = typeof to === 'number' ? connect(to, '127.0.0.1') : to;
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes: Buffer) => (this.#heard = Buffer.concat([this.#heard, bytes])));
    this.#closed = once(this.socket, 'close');
    this.socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    this.socket.write(frame(TYPE.SETTINGS, 0));
  }

  /** What came on stream 1 until it ended, and the code of its reset or of the connection's GOAWAY; -1: just closed. */
  async answer(): Promise<{ text: string; reset: number }> {
    for (;;) {
      const frames = this.#frames();
      const over = frames.find(isEnd);
      if (over || this.socket.closed) {
        const data = frames.filter(({ type }) => type === TYPE.DATA).map(({ payload }) => payload);
        return { text: Buffer.concat(data).toString(), reset: over ? codeOf(over) : -1 };
      }
      await Promise.race([once(this.socket, 'data'), this.#closed]);
    }
  }

  /** Everything heard, as frames, once the connection is closed. */
  async closed(): Promise<readonly Frame[]> {
    await this.#closed;
    return this.#frames();
  }

  #frames(): readonly Frame[] {
    const frames = [];
    for (let at = 0; at + 9 <= this.#heard.length;) {
      const length = this.#heard.readUIntBE(at, 3);
      const payload = this.#heard.subarray(at + 9, at + 9 + length);
      const [type, flags] = [this.#heard.readUInt8(at + 3), this.#heard.readUInt8(at + 4)];
      frames.push({ type, flags, stream: this.#heard.readUInt32BE(at + 5), payload });
      at += 9 + length;
    }
    return frames;
  }
}

function isEnd({ type, flags, stream, payload }: Frame): boolean {
  if (type === TYPE.GOAWAY) return payload.readUInt32BE(4) > 0; // with NO_ERROR, what runs goes on
  if (type === TYPE.RST_STREAM) return true;
  return stream === 1 && type <= TYPE.HEADERS && (flags & END_STREAM) > 0;
}

function codeOf({ type, payload }: Frame): number {
  if (type === TYPE.RST_STREAM) return payload.readUInt32BE(0);
  return type === TYPE.GOAWAY ? payload.readUInt32BE(4) : 0;
}
