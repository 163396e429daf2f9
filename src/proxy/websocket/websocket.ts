/**
 * An open WebSocket, seen from http-proxy: a stream that is the agent's end. The library pipes it to the upstream and
 * back; what passes in either direction is judged frame by frame, counted, and cut at a border where it can be.
 */
import { Duplex } from 'node:stream';
import { causeText } from '../../config/cause-text.ts';
import type { DenialCode } from '../../denial/table.ts';
import type { Clock } from '../../gate/outside.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { closeFrame } from './close.ts';
import type { CloseCode } from './close.ts';
import { FrameReader } from './frames.ts';
import type { FrameFault } from './frames.ts';

/** Limits of every WebSocket. */
export interface WebSocketLimits {
  /** All fragments of one message, in bytes. */
  readonly maxMessageBytes: number;
  /** Silence of both ends, in milliseconds; 0 waits for ever. Pings are the ends' own, and count. */
  readonly idleMs: number;
}

/** How a call ends. */
export type CallEnd =
  | { readonly ended: 'complete' | 'client-abort' }
  | { readonly ended: 'upstream-error'; readonly cause: Error }
  | { readonly ended: 'cut'; readonly by: DenialCode; readonly why?: string };

/** Who answers for the bytes. */
export interface WebSocketWatch {
  /** Counts bytes before they are passed on; false holds back them and everything after them. */
  admit(way: Way, bytes: Buffer): boolean;
  /** It ended by itself; once. */
  over(how: CallEnd): void;
}

/** The two directions. */
export type Way = 'up' | 'down';

/** What it is opened with. */
export interface Opening {
  readonly agent: Duplex;
  readonly upstream: Duplex;
  /** An extension was agreed on. */
  readonly extended: boolean;
}

interface Running extends Opening {
  readonly up: Direction;
  readonly down: Direction;
}

/** A chunk, where to, and whom to tell that the next one may come. */
interface Passing {
  readonly chunk: Buffer;
  readonly to: (bytes: Buffer) => void;
  readonly done: () => void;
}

interface Parts {
  readonly clock: Clock;
  readonly limits: WebSocketLimits;
  readonly watch: WebSocketWatch;
}

/** After the first Close frame the other end has so long to answer it and to hang up. */
const CLOSING_MS = 5000;
/** An agent has so long to read why it was cut; an upstream may hear it, but not hold us up. */
const LINGER_MS = { agent: 400, upstream: 50 } as const;

const CAUSES = {
  protocol: 'websocket_frame',
  too_big: 'websocket_too_large',
} as const satisfies Record<FrameFault, DenialCode>;

/** The agent's end of one WebSocket. Before `open` nothing passes, and after `finish` nothing but a Close frame. */
export class WebSocket extends Duplex {
  readonly #parts: Parts;
  #open: Running | undefined;
  #headSent = false;
  #finished = false;
  #lastHeard = 0;
  #cancelIdle: () => void = () => undefined;
  #cancelClosing: (() => void) | undefined;

  constructor(parts: Parts) {
    super();
    this.#parts = parts;
  }

  /** The handshake is good: the next thing written is the head of the 101, then frames. */
  open(opening: Opening): void {
    const { maxMessageBytes } = this.#parts.limits;
    const { agent, extended } = opening;
    const up = new Direction(new FrameReader({ masked: true, extended, maxMessageBytes }));
    const down = new Direction(new FrameReader({ masked: false, extended, maxMessageBytes }));
    this.#open = { ...opening, up, down };
    agent.on('data', this.#onAgentData).on('end', this.#onAgentEnd).on('close', this.#onAgentGone);
    this.#try(() => {
      this.#hear();
      this.#watchSilence();
    });
  }

  /** Ends both sides now, with this code where a Close frame can still be put. */
  finish(code: CloseCode | undefined): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#cancelIdle();
    this.#cancelClosing?.();
    if (this.#open) this.#close(this.#open, code);
    this.destroy();
  }

  override _read(): void {
    this.#open?.agent.resume();
  }

  /** From the upstream. */
  override _write(chunk: Buffer, _encoding: unknown, done: () => void): void {
    if (!this.#open || this.#finished) return done();
    const { agent, down } = this.#open;
    if (this.#headSent)
      return this.#pass('down', down, { chunk, to: (bytes) => agent.write(bytes, () => done()), done });
    this.#headSent = true;
    agent.write(chunk, () => done());
  }

  /** The upstream has nothing more to say. */
  override _final(done: () => void): void {
    if (this.#closeSeen()) this.#over({ ended: 'complete' }, undefined);
    else
      this.#over({ ended: 'upstream-error', cause: new UpstreamFailure('connection_lost') }, 'bad_gateway');
    done();
  }

  /** What http-proxy asks of a socket. Ours are set up already. */
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  destroySoon(): void {
    this.end();
  }

  readonly #onAgentData = (chunk: Buffer): void => {
    if (!this.#open || this.#finished) return;
    const { agent, up } = this.#open;
    const to = (bytes: Buffer): void => {
      if (!this.push(bytes)) agent.pause();
    };
    this.#pass('up', up, { chunk, to, done: () => undefined });
  };

  /** After its Close frame an agent may stop talking, and still hears the upstream's. */
  readonly #onAgentEnd = (): void => {
    if (this.#open?.up.closed) this.push(null);
    else this.#onAgentGone();
  };

  readonly #onAgentGone = (): void => {
    if (this.#closeSeen()) this.#over({ ended: 'complete' }, undefined);
    else this.#over({ ended: 'client-abort' }, 'going_away');
  };

  #pass(way: Way, direction: Direction, passing: Passing): void {
    this.#try(() => this.#judge(way, direction, passing));
  }

  /** Passes on what may pass of a chunk, all of it or nothing. */
  #judge(way: Way, direction: Direction, { chunk, to, done }: Passing): void {
    this.#hear();
    const { passes, fault } = direction.reader.read(chunk);
    if (passes.length === 0 || !this.#parts.watch.admit(way, passes)) done();
    else {
      direction.passed();
      to(passes);
    }
    if (fault) this.#over({ ended: 'cut', by: CAUSES[fault] }, fault);
    else if (direction.closed) this.#closeSoon();
  }

  #closeSeen(): boolean {
    return (this.#open?.up.closed ?? false) || (this.#open?.down.closed ?? false);
  }

  /** RFC 6455 §7.1.1: the ends close by themselves; one that does not is not waited for. */
  #closeSoon(): void {
    if (this.#finished) return;
    this.#cancelClosing ??= this.#parts.clock.after(CLOSING_MS, () =>
      this.#over({ ended: 'complete' }, undefined),
    );
  }

  #hear(): void {
    this.#lastHeard = this.#parts.clock.monotonic();
  }

  /** One timer, which is set anew when it finds that something was heard. */
  #watchSilence(): void {
    const { clock, limits } = this.#parts;
    if (limits.idleMs === 0 || this.#finished) return;
    const left = this.#lastHeard + limits.idleMs - clock.monotonic();
    if (left <= 0) this.#over({ ended: 'cut', by: 'websocket_idle' }, 'policy');
    else this.#cancelIdle = clock.after(left, () => this.#try(() => this.#watchSilence()));
  }

  /** A fault of ours ends this WebSocket, and no other. */
  #try(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.#over({ ended: 'cut', by: 'internal_error', why: causeText(cause) }, 'policy');
    }
  }

  #over(how: CallEnd, code: CloseCode | undefined): void {
    if (this.#finished) return;
    this.finish(code);
    this.#parts.watch.over(how);
  }

  #close(open: Running, code: CloseCode | undefined): void {
    try {
      this.#hangUp(open, code);
    } catch {
      open.agent.destroy(); // nothing more is said where even that fails
      open.upstream.destroy();
    }
  }

  #hangUp({ agent, upstream, up, down }: Running, code: CloseCode | undefined): void {
    agent.off('data', this.#onAgentData).off('end', this.#onAgentEnd).off('close', this.#onAgentGone);
    upstream.unpipe(this);
    this.unpipe(upstream);
    const { clock } = this.#parts;
    const toAgent = code && !down.closed ? closeFrame(code, 'agent') : undefined;
    const toUpstream = code && !up.closed ? closeFrame(code, 'upstream') : undefined;
    if (!this.#headSent || !down.atBorder) agent.destroy();
    else hangUp(agent, { last: toAgent, clock, lingerMs: LINGER_MS.agent });
    if (this.readableLength > 0 || !up.atBorder) upstream.destroy();
    else hangUp(upstream, { last: toUpstream, clock, lingerMs: LINGER_MS.upstream });
  }
}

/** One direction: what was read, and where what was passed on ends. */
class Direction {
  readonly reader: FrameReader;
  #atBorder = true;
  #closed = false;

  constructor(reader: FrameReader) {
    this.reader = reader;
  }

  /** Whether a Close frame was passed on. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether what was passed on ends where a frame does. */
  get atBorder(): boolean {
    return this.#atBorder;
  }

  /** All that was read and may pass has been passed on. */
  passed(): void {
    this.#atBorder = this.reader.atBorder;
    this.#closed = this.reader.closed;
  }
}

/** Says the last word, if any, reads on for a moment so that it is not lost to a reset, and closes. */
function hangUp(
  socket: Duplex,
  { last, clock, lingerMs }: { last: Buffer | undefined; clock: Clock; lingerMs: number },
): void {
  const cancel = clock.after(lingerMs, () => socket.destroy());
  socket.on('close', cancel).on('data', () => undefined);
  socket.on('end', () => socket.destroy());
  if (last) socket.end(last);
  else socket.end();
  socket.resume();
}
