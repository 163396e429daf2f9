/**
 * The first message of a TLS client, read without answering it (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2): which host it
 * wants. All of it is attacker-controlled.
 */

/** What a ClientHello says that matters here. */
export interface ClientHello {
  /** `server_name` (RFC 6066 §3) in lower case; undefined where it is left out. */
  readonly serverName: string | undefined;
  /** `application_layer_protocol_negotiation` (RFC 7301), in the client's order. */
  readonly protocols: readonly string[];
}

/** How a connection begins: not with a ClientHello, with a broken one, or with one. */
export type HelloReading =
  | { readonly is: 'not-tls' }
  | { readonly is: 'malformed'; readonly why: string }
  | { readonly is: 'hello'; readonly hello: ClientHello };

/** RFC 8446 §5.1, §4. */
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const MAX_RECORD = 16_384;
/** With post-quantum key shares a hello has about 2 KiB; whoever needs more than this wears us out. */
export const MAX_HELLO_BYTES = 16_384;

const SERVER_NAME = 0;
const HOST_NAME = 0;
const PROTOCOLS = 16;
const RANDOM_BYTES = 32;

/** Reads the first bytes; undefined where they are too few to tell. The hello may be spread over records of any size. */
export function readClientHello(bytes: Uint8Array): HelloReading | undefined {
  const message = handshakeBytes(bytes);
  if (!(message instanceof Uint8Array)) return message;
  if (message.length < MESSAGE_HEADER) return undefined;
  const reader = new Reader(message);
  if (reader.number(1) !== CLIENT_HELLO) return { is: 'malformed', why: 'not a ClientHello' };
  const length = reader.number(3);
  if (length > MAX_HELLO_BYTES) return { is: 'malformed', why: 'a ClientHello that is too long' };
  if (message.length < MESSAGE_HEADER + length) return undefined;
  try {
    return { is: 'hello', hello: readBody(new Reader(reader.bytes(length))) };
  } catch (cause) {
    if (cause instanceof HelloFault) return { is: 'malformed', why: cause.message };
    throw cause;
  }
}

/** The handshake bytes of all whole and begun records, which must be handshake records. */
function handshakeBytes(bytes: Uint8Array): Uint8Array | HelloReading {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const [type, major, , high = 0, low = 0] = bytes.subarray(at, at + RECORD_HEADER);
    const isTls = type === HANDSHAKE_RECORD && (major === undefined || major === 3);
    if (!isTls) return at === 0 ? { is: 'not-tls' } : { is: 'malformed', why: 'another record in between' };
    if (bytes.length < at + RECORD_HEADER) break;
    const length = high * 256 + low;
    if (length === 0 || length > MAX_RECORD) return { is: 'malformed', why: `a record of ${length} bytes` };
    at += RECORD_HEADER;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return Buffer.concat(parts);
}

function readBody(reader: Reader): ClientHello {
  reader.bytes(2 + RANDOM_BYTES); // legacy_version, random
  reader.bytes(reader.number(1)); // legacy_session_id
  reader.bytes(reader.number(2)); // cipher_suites
  reader.bytes(reader.number(1)); // legacy_compression_methods
  let serverName: string | undefined;
  let protocols: readonly string[] = [];
  const seen = new Set<number>();
  const extensions = reader.done ? reader : reader.nested(2);
  reader.end();
  while (!extensions.done) {
    const type = extensions.number(2);
    const data = extensions.nested(2);
    if (seen.has(type)) throw new HelloFault(`extension ${type} twice`); // RFC 8446 §4.2
    seen.add(type);
    if (type === SERVER_NAME) serverName = readServerName(data);
    if (type === PROTOCOLS) protocols = readProtocols(data);
  }
  return { serverName, protocols };
}

/** RFC 6066 §3: one name of type host_name, ASCII, without a final dot. */
function readServerName(data: Reader): string {
  const list = data.nested(2);
  data.end();
  const type = list.number(1);
  const name = list.nested(2).text();
  list.end();
  if (type !== HOST_NAME) throw new HelloFault('a name that is not a host_name');
  if (!/^[\x21-\x7e]{1,255}$/.test(name)) throw new HelloFault('a server_name of odd bytes');
  return name.toLowerCase();
}

function readProtocols(data: Reader): readonly string[] {
  const list = data.nested(2);
  data.end();
  const protocols: string[] = [];
  while (!list.done) protocols.push(list.nested(1).text());
  return protocols;
}

/** The hello does not hold together. */
class HelloFault extends Error {}

/** Reads big-endian numbers and length-led vectors (RFC 8446 §3.4), never beyond its end. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  number(octets: number): number {
    return this.bytes(octets).reduce((sum, octet) => sum * 256 + octet, 0);
  }

  bytes(count: number): Uint8Array {
    const from = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) throw new HelloFault('a length beyond the end');
    return this.#bytes.subarray(from, this.#at);
  }

  /** The vector that is led by a length of so many octets. */
  nested(octets: number): Reader {
    return new Reader(this.bytes(this.number(octets)));
  }

  /** All the rest, as latin1. */
  text(): string {
    return Buffer.from(this.bytes(this.#bytes.length - this.#at)).toString('latin1');
  }

  end(): void {
    if (!this.done) throw new HelloFault('bytes after the end');
  }
}
