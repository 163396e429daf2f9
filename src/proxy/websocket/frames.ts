/**
 * Where the frames of one direction begin and end (RFC 6455 §5.2), so that they can be limited and cut at a border.
 * Nothing is changed or unmasked: what passes is passed on octet by octet.
 */
import type { CloseCode } from './close.ts';
import { isCloseCode } from './close.ts';

/** What is expected of one direction. */
export interface FrameRules {
  /** Frames of the agent are masked, those of the upstream are not (RFC 6455 §5.1). */
  readonly masked: boolean;
  /** An extension was agreed on, which may use the reserved bits (RFC 6455 §5.2). */
  readonly extended: boolean;
  /** All fragments of a message together, in bytes. */
  readonly maxMessageBytes: number;
}

/** Why a direction ends. */
export type FrameFault = Extract<CloseCode, 'protocol' | 'too_big'>;

/** What may be passed on by now, which may be nothing; and the fault that what follows it has. */
export interface FramesRead {
  readonly passes: Buffer;
  readonly fault?: FrameFault;
}

interface Header {
  readonly final: boolean;
  readonly opcode: number;
  /** Of the payload. */
  readonly length: number;
}

const CONTINUATION = 0x0;
const CLOSE = 0x8;
/** RFC 6455 §5.5: of a control frame. */
const MAX_CONTROL = 125;
const NOTHING = Buffer.alloc(0);

/** Reads one direction. After a fault it is to be given nothing more. */
export class FrameReader {
  readonly #rules: FrameRules;
  /** The beginning of a header that is not complete yet, and is not passed on. */
  #held: Buffer = NOTHING;
  /** Bytes of payload that are still to come. */
  #rest = 0;
  /** Of the message that is under way; undefined between messages. */
  #message: number | undefined;
  #closed = false;

  constructor(rules: FrameRules) {
    this.#rules = rules;
  }

  /** Whether what was passed on so far ends at a frame's border, where another frame may be put. */
  get atBorder(): boolean {
    return this.#rest === 0;
  }

  /** Whether a Close frame was read: nothing may follow it. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Judges each header before any byte of its frame is passed on. */
  read(chunk: Buffer): FramesRead {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = NOTHING;
    let at = 0;
    while (at < bytes.length) {
      if (this.#rest === 0) {
        const size = this.#begin(bytes, at);
        if (typeof size === 'string') return { passes: bytes.subarray(0, at), fault: size };
        if (size === 0) break;
        at += size;
      }
      const payload = Math.min(this.#rest, bytes.length - at);
      this.#rest -= payload;
      at += payload;
    }
    this.#held = Buffer.from(bytes.subarray(at));
    return { passes: bytes.subarray(0, at) };
  }

  /** The size of the header at this place, 0 where it is not complete; or its fault. */
  #begin(bytes: Buffer, at: number): number | FrameFault {
    if (this.#closed) return 'protocol';
    const size = headerSize(bytes, at);
    const header = size <= bytes.length - at ? readHeader(bytes, at) : undefined;
    const early = this.#strange(bytes[at] ?? 0, bytes[at + 1]);
    if (early || !header) return early ? 'protocol' : 0;
    const end = header.opcode === CLOSE ? size + Math.min(2, header.length) : size;
    if (end > bytes.length - at) return 0; // a Close frame is judged with its code
    const fault = this.#judge(header, bytes.subarray(at, at + end));
    if (fault) return fault;
    this.#rest = header.length - (end - size);
    return end;
  }

  /** What the first two octets show already (RFC 6455 §5.1–5.5). */
  #strange(first: number, second: number | undefined): boolean {
    const opcode = first & 0x0f;
    if ((first & 0x70) !== 0 && !this.#rules.extended) return true;
    if ((opcode > 0x2 && opcode < CLOSE) || opcode > 0xa) return true;
    if (opcode >= CLOSE && (first & 0x80) === 0) return true;
    if (opcode < CLOSE && (opcode === CONTINUATION) !== (this.#message !== undefined)) return true;
    if (second === undefined) return false;
    const masked = (second & 0x80) !== 0;
    if (masked !== this.#rules.masked) return true;
    return opcode >= CLOSE && (second & 0x7f) > MAX_CONTROL;
  }

  #judge(header: Header, bytes: Buffer): FrameFault | undefined {
    const { final, opcode, length } = header;
    if (opcode === CLOSE) {
      this.#closed = true;
      return length > 0 && !isCloseCode(closeCodeIn(bytes, this.#rules.masked)) ? 'protocol' : undefined;
    }
    if (opcode > CLOSE) return undefined;
    if (!isShortest(bytes, length)) return 'protocol';
    const message = (this.#message ?? 0) + length;
    if (message > this.#rules.maxMessageBytes) return 'too_big';
    this.#message = final ? undefined : message;
    return undefined;
  }
}

/** Octets of a header whose second octet may not be there yet: then more than there are. */
function headerSize(bytes: Buffer, at: number): number {
  const second = bytes[at + 1];
  if (second === undefined) return Infinity;
  const short = second & 0x7f;
  return 2 + (short === 127 ? 8 : short === 126 ? 2 : 0) + ((second & 0x80) === 0 ? 0 : 4);
}

function readHeader(bytes: Buffer, at: number): Header {
  const first = bytes[at] ?? 0;
  return { final: (first & 0x80) !== 0, opcode: first & 0x0f, length: lengthAt(bytes, at + 1) };
}

/** A length of 2^53 and more is too much for any limit, and may lose its last digits. */
function lengthAt(bytes: Buffer, at: number): number {
  const short = (bytes[at] ?? 0) & 0x7f;
  if (short < 126) return short;
  return short === 126 ? bytes.readUInt16BE(at + 1) : Number(bytes.readBigUInt64BE(at + 1));
}

/** RFC 6455 §5.2: the minimal number of octets, and the most significant bit is 0. */
function isShortest(header: Buffer, length: number): boolean {
  const short = (header[1] ?? 0) & 0x7f;
  if (short === 127) return length > 0xffff && ((header[2] ?? 0) & 0x80) === 0;
  return short < 126 || length > 125;
}

/** The status code at the end of a Close frame's header (RFC 6455 §5.5.1); NaN where there is half of one. */
function closeCodeIn(bytes: Buffer, masked: boolean): number {
  const at = masked ? 6 : 2;
  if (bytes.length < at + 2) return NaN;
  return bytes.readUInt16BE(at) ^ (masked ? bytes.readUInt16BE(2) : 0);
}
