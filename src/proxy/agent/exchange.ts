/** The agent's end of one call, whatever protocol it speaks: what relay, gate and listeners need of it. */
import type { Duplex, Readable } from 'node:stream';
import type { Header } from '../../call/call.ts';
import type { Exchange } from '../../gate/outside.ts';
import type { Reply } from '../reply.ts';

/** What must happen around the bytes of a request's body. */
export interface BodyWatch {
  /** Nothing of it is there any more, or too little, and whoever it is for wants more. */
  await(): void;
  /** Before a chunk is passed on; false holds it and everything after it back. */
  admit(bytes: number): boolean;
  /** The body ended, with these trailers or none (`name, value, …`, attacker-controlled); false, and its end is held back. */
  trailers(raw: readonly string[]): boolean;
}

/** What else there is to know about a response when its head is passed on. */
export interface Following {
  /** The head is the whole response. */
  readonly whole: boolean;
  /** Lower-case names that may follow the body. */
  readonly announced: ReadonlySet<string>;
}

/** What an agent still sends behind its answer is discarded, up to so much. */
export const DISCARD_BYTES = 1024 * 1024;

/** And for so long, in milliseconds. */
export const DISCARD_MS = 2000;

/** One request to read and one reply to write. At most one of `refuse`, `answer` and `begin` is ever heeded. */
export interface AgentExchange extends Exchange {
  /** Whether the agent speaks HTTP/2 here. */
  readonly http2: boolean;
  /** Whether a reply has begun. */
  readonly begun: boolean;
  /** Whether the agent's connection ends with this exchange. */
  readonly closing: boolean;

  /** Calls back once if the agent goes away before it has the whole reply. One listener. */
  onGone(listener: () => void): void;
  /** Calls back once the reply is handed to the system whole. */
  onFlushed(listener: () => void): void;
  /** Calls back whenever the agent can take more. */
  onDrain(listener: () => void): void;

  /** The body as a stream that reads nothing before it is asked to. */
  openBody(watch: BodyWatch): Readable;

  /**
   * The connection itself, for a protocol that begins here: from now on nothing of the exchange touches it. Undefined
   * where it is not to be had: shared, gone, or spoken on before it was answered.
   */
  takeOver(): Duplex | undefined;
  /** Writes a whole reply of ours. */
  answer(reply: Reply): void;
  /** Writes the head of an upstream's reply. Throws where it cannot stand in HTTP. */
  begin(status: number, headers: readonly string[], following: Following): void;
  /** Passes on one chunk; false asks to wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  /** Ends an upstream's reply well. Trailers go with it where the agent can take them; the answer is those that go. */
  end(trailers: readonly Header[]): readonly Header[];
  /** Relays `103 Early Hints` (RFC 8297): links only. */
  hint(links: readonly string[]): void;
  /** Ends a reply in the middle, so that the agent can tell; in HTTP/2 with this error code (RFC 9113 §7). */
  cut(code: number): void;
  /** Where calls share a connection one after the other: it closes after this one, and its reply says so. */
  closeAfter(): void;
}
