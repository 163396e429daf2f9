/**
 * A tunnel whose TLS stays closed (`tls.passthrough`): bytes both ways under a lease, once its ClientHello has named the
 * host that was granted. What they say, nobody here knows.
 */
import type { Socket } from 'node:net';
import { causeText } from '../../config/cause-text.ts';
import type { DenialCode } from '../../denial/table.ts';
import type { Ended, Exchange, Passage } from '../../gate/outside.ts';
import { addressText } from '../../gate/record.ts';
import { readClientHello } from './client-hello.ts';
import type { ConcurrencyLimit } from '../upstream/concurrency-limit.ts';
import { dial } from '../upstream/dial.ts';
import type { Dialled, DialSettings } from '../upstream/dial.ts';
import { elapsedSince } from '../elapsed.ts';
import { peek } from '../agent/peek.ts';
import type { Scavenger } from '../scavenger.ts';
import { nameFault } from './server-name.ts';
import { StreamDigest } from '../stream-digest.ts';
import { refuseName } from './tls-fault.ts';
import { failureText, UpstreamFailure } from '../upstream/failure.ts';

/** How tunnels are carried. */
export interface SpliceSettings extends DialSettings {
  /** From the tunnel's opening to the end of its ClientHello, in milliseconds. */
  readonly helloMs: number;
  /** Silence of both sides, also of one that does not take what was left for it; 0 waits for ever. In milliseconds. */
  readonly idleMs: number;
  /** For the whole tunnel; 0: as long as its lease. In milliseconds. */
  readonly totalMs: number;
  /** Hears of every chunk that was read. */
  readonly scavenger: Scavenger;
  /** Tunnels count among their agent's calls. */
  readonly concurrencyLimit: ConcurrencyLimit;
}

/** The agent's end. */
export interface TunnelEnd {
  readonly socket: Socket;
  /** Calls back once if the agent goes away before its 200. */
  onGone(listener: () => void): void;
  /** Answers 200. */
  establish(): void;
  /** Answers that the upstream could not be reached. */
  fail(cause: Error): void;
}

type How =
  | { readonly ended: 'complete' | 'client-abort' | 'upstream-error'; readonly why?: string }
  | { readonly ended: 'cut'; readonly by: DenialCode; readonly why?: string };

/** Carries one tunnel, once. */
export class Splice {
  readonly #passage: Passage<Exchange>;
  readonly #end: TunnelEnd;
  readonly #settings: SpliceSettings;
  #began = 0;
  readonly #up = new StreamDigest();
  readonly #down = new StreamDigest();
  readonly #given = new AbortController();
  #dialled: Dialled | undefined;
  #answered = false;
  /** Our reply said that there will be no tunnel; the connection ends behind it by itself. */
  #declined = false;
  #over = false;
  #halves = 2;
  #cancelIdle: () => void = () => undefined;
  #cancelTotal: () => void = () => undefined;
  #settle: (ended: Ended) => void = () => undefined;

  constructor(passage: Passage<Exchange>, end: TunnelEnd, settings: SpliceSettings) {
    this.#passage = passage;
    this.#end = end;
    this.#settings = settings;
  }

  /** Dials, answers, and pipes until the end, whatever it is. Never rejects. */
  run(): Promise<Ended> {
    const leave = this.#settings.concurrencyLimit.enter(this.#passage);
    return new Promise((resolve) => {
      this.#settle = (ended) => (leave?.(), resolve(ended));
      if (!leave) return this.#fail(new UpstreamFailure('upstream_busy'));
      try {
        this.#begin();
      } catch (cause) {
        this.#break(cause);
      }
    });
  }

  #begin(): void {
    const { clock, totalMs } = this.#settings;
    this.#began = clock.monotonic();
    if (totalMs > 0)
      this.#cancelTotal = clock.after(totalMs, () => this.#fail(new UpstreamFailure('total_timeout')));
    this.#end.onGone(() => this.#finish({ ended: 'client-abort' }));
    this.#passage.lease.onEnd((by) => this.#finish({ ended: 'cut', by }));
    if (this.#passage.exchange.gone) this.#finish({ ended: 'client-abort' });
    if (this.#over) return;
    this.#open().catch((cause: unknown) => this.#fail(cause));
  }

  async #open(): Promise<void> {
    const { call, addresses } = this.#passage;
    const dialled = await dial(
      {
        ...{ tls: undefined, host: call.host, addresses, signal: this.#given.signal }, // the TLS is the agent's
        protocols: [],
        permitted: () => this.#permitted(),
      },
      this.#settings,
    );
    dialled.socket.on('error', (cause) => this.#fail(cause));
    this.#dialled = dialled;
    if (!this.#permitted()) return void dialled.socket.destroy();
    this.#answered = true;
    this.#end.establish();
    await this.#admit(dialled.socket);
  }

  /** Nothing of the agent's goes up before its ClientHello was read. */
  async #admit(upstream: Socket): Promise<void> {
    const { clock, helloMs } = this.#settings;
    const { socket } = this.#end;
    const beginning = await peek(socket, { after: clock.after, ms: helloMs, read: readClientHello });
    if (this.#over) return;
    switch (beginning.is) {
      case 'silent':
      case 'closed':
        return this.#finish({ ended: 'client-abort' });
      case 'not-tls':
      case 'malformed':
        return this.#finish({ ended: 'cut', by: 'tunnel_not_tls' });
      case 'hello':
        if (!nameFault(this.#passage.call.host, beginning.hello)) return this.#pipe(socket, upstream);
        refuseName(socket);
        return this.#finish({ ended: 'cut', by: 'tunnel_name_mismatch' });
    }
  }

  #pipe(agent: Socket, upstream: Socket): void {
    const { lease } = this.#passage;
    upstream.allowHalfOpen = true;
    this.#forward(agent, upstream, { digest: this.#up, count: (bytes) => lease.countRequest(bytes) });
    this.#forward(upstream, agent, { digest: this.#down, count: (bytes) => lease.countResponse(bytes) });
    agent.on('close', () => this.#gone(agent, { ended: 'client-abort' }));
    upstream.on('close', () => this.#gone(upstream, { ended: 'upstream-error', why: 'connection_lost' }));
    this.#awake();
  }

  /** One direction, as fast as its receiver takes it; each end of it is passed on. */
  #forward(from: Socket, to: Socket, { digest, count }: Direction): void {
    from.on('data', (chunk: Buffer) => {
      if (!this.#counted(chunk, count)) return; // over the limit: not one byte of it is passed on
      digest.add(chunk);
      this.#settings.scavenger.count(chunk.length);
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    to.on('finish', () => {
      this.#halves -= 1; // not sooner: who does not read would keep what is over
      if (this.#halves === 0) this.#finish({ ended: 'complete' });
    });
  }

  /** One side closes by itself once it has ended and taken everything; the other may still have to take what is left. */
  #gone(side: Socket, how: How): void {
    if (!side.readableEnded || !side.writableFinished) this.#finish(how);
  }

  /** A fault of ours ends this tunnel, and no other. */
  #counted(chunk: Buffer, count: Direction['count']): boolean {
    try {
      count(chunk.length);
      if (!this.#permitted()) return false;
      this.#awake();
      return true;
    } catch (cause) {
      this.#break(cause);
      return false;
    }
  }

  #break(cause: unknown): void {
    this.#finish({ ended: 'cut', by: 'internal_error', why: causeText(cause) });
  }

  #awake(): void {
    const { clock, idleMs } = this.#settings;
    this.#cancelIdle();
    if (idleMs > 0)
      this.#cancelIdle = clock.after(idleMs, () => this.#fail(new UpstreamFailure('body_timeout')));
  }

  #permitted(): boolean {
    return !this.#over && this.#passage.lease.alive;
  }

  #fail(cause: unknown): void {
    const failure = cause instanceof Error ? cause : new UpstreamFailure('connect_failed', String(cause));
    if (!this.#over && !this.#answered) {
      this.#declined = true;
      this.#end.fail(failure);
    }
    this.#answered = true;
    this.#finish({ ended: 'upstream-error', why: failureText(failure) });
  }

  /** The first end stands. Where both sides came to theirs, they have everything; what was on its way is lost where not. */
  #finish(how: How): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelIdle();
    this.#cancelTotal();
    this.#given.abort();
    this.#dialled?.socket.destroy();
    if (this.#answered && !this.#declined && !this.#refusing(how)) this.#end.socket.destroy();
    this.#settle(this.#outcome(how));
  }

  /** Its alert is on its way, and so is the end of its connection. */
  #refusing(how: How): boolean {
    return how.ended === 'cut' && how.by === 'tunnel_name_mismatch';
  }

  #outcome(how: How): Ended {
    return {
      ...(this.#dialled ? { dialled: addressText(this.#dialled.address) } : {}),
      request: this.#up.close(),
      response: this.#down.close(),
      duration_ms: elapsedSince(this.#settings.clock, this.#began),
      ...how,
      answered: this.#answered,
    };
  }
}

interface Direction {
  readonly digest: StreamDigest;
  readonly count: (bytes: number) => void;
}
