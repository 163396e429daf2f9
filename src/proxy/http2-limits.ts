/** What one HTTP/2 connection may ask of us, on either side (threats.md §2). */
import { constants } from 'node:http2';
import type { Http2Session, Settings } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../gate/outside.ts';

/** Streams at a time. */
export const MAX_STREAMS = 100;

const MAX_HEAD_BYTES = 16 * 1024;
const CONNECTION_WINDOW = 1024 * 1024;
const AGENT_STREAM_WINDOW = 64 * 1024;
/** Towards an upstream, where the way is longer. */
const UPSTREAM_STREAM_WINDOW = 256 * 1024;

/** What node:http2 is told for the agent's side. Its own limits end reset, CONTINUATION and empty DATA floods. */
export const AGENT_SESSION = {
  settings: settings(AGENT_STREAM_WINDOW),
  maxHeaderListPairs: 256, // over 100 is refused with a receipt, over this with a reset
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  streamResetBurst: 200,
  streamResetRate: 33,
  strictSingleValueFields: false, // what came twice is passed on twice
} as const;

/** What it is told for an upstream's. */
export const UPSTREAM_SESSION = {
  settings: settings(UPSTREAM_STREAM_WINDOW),
  maxHeaderListPairs: 256,
  maxSessionInvalidFrames: 100,
  peerMaxConcurrentStreams: MAX_STREAMS,
  strictSingleValueFields: false,
} as const;

/** Opens the connection's window, once it is set up. */
export function widen(session: { setLocalWindowSize(bytes: number): void }): void {
  session.setLocalWindowSize(CONNECTION_WINDOW);
}

function settings(window: number): Settings {
  return {
    enablePush: false,
    enableConnectProtocol: false,
    maxConcurrentStreams: MAX_STREAMS,
    initialWindowSize: window,
    maxHeaderListSize: MAX_HEAD_BYTES,
  };
}

/** Ends a connection that asked too much, with a GOAWAY that says so (RFC 9113 §7). Its session hears an error. */
export function endFlooded(session: Http2Session): void {
  if (session.destroyed) return;
  const flood = Object.assign(new Error('a flood of frames'), { code: 'ERR_HTTP2_FLOOD' });
  session.destroy(flood, constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

const LINGER_MS = 2000;

/**
 * Closes a connection that carries nothing any more. A peer that does not hang up as well is not waited for; nor is one
 * that did so unheard, because node:http2 had stopped reading to wait for a write.
 */
export function hangUp(session: Http2Session, socket: Socket, clock: Clock): void {
  session.close();
  if (socket.destroyed) return;
  try {
    const cancel = clock.after(LINGER_MS, () => socket.destroy());
    socket.once('close', cancel);
  } catch {
    socket.destroy(); // nothing else would ever close it
  }
}

const BURST = 200;
const EACH_SECOND = 50;
/** gRPC measures its bandwidth with pings while data comes. */
const BYTES_FOR_ONE = 16 * 1024;

/** Counts the frames that make us answer and carry nothing: PING and SETTINGS. */
export class FrameBudget {
  readonly #clock: Clock;
  readonly #written: () => number;
  #level = 0;
  #at = -Infinity;
  #seen = 0;

  /** `written`: bytes that went out on the connection so far. */
  constructor(clock: Clock, written: () => number) {
    this.#clock = clock;
    this.#written = written;
  }

  /** Counts one frame; false where it is one too many, or cannot be counted. */
  spend(): boolean {
    try {
      return this.#count(this.#clock.monotonic());
    } catch {
      return false;
    }
  }

  #count(now: number): boolean {
    const written = this.#written();
    const earned = ((now - this.#at) / 1000) * EACH_SECOND + (written - this.#seen) / BYTES_FOR_ONE;
    this.#at = now;
    this.#seen = written;
    this.#level = Math.max(0, this.#level - earned) + 1;
    return this.#level <= BURST;
  }
}
