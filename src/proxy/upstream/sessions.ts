/** The open HTTP/2 connections to upstreams, and those that are being dialled. */
import { LRUCache } from 'lru-cache';
import { dial } from './dial.ts';
import type { Dialled, Protocol } from './dial.ts';
import type { TransportSettings, TransportTarget } from './transport.ts';
import { UpstreamSession } from './session.ts';

/** A call that waits for a connection. */
export interface Waiter {
  /** Asked in the last synchronous step before dialling. */
  permitted(): boolean;
  /** There is a session with room. */
  useSession(session: UpstreamSession): void;
  /** The upstream speaks HTTP/1.1: this connection is its alone. */
  useHttp1(dialled: Dialled): void;
  /** Neither, since others took it: look again. */
  lookAgain(): void;
  fail(cause: Error): void;
}

/** Where a call wants to go. */
export interface Endpoint {
  readonly key: string;
  readonly target: TransportTarget;
  readonly offer: readonly Protocol[];
}

interface Dialling {
  readonly waiting: Set<Waiter>;
  readonly given: AbortController;
}

const REMEMBERED = 1024;

/** Sessions by key. Calls to one place share its dialling, unless it is known to speak HTTP/1.1. */
export class UpstreamSessions {
  readonly #settings: TransportSettings;
  readonly #open = new Map<string, Set<UpstreamSession>>();
  readonly #dialling = new Map<string, Dialling>();
  readonly #plain = new LRUCache<string, true>({ max: REMEMBERED });
  #closed = false;

  constructor(settings: TransportSettings) {
    this.#settings = settings;
  }

  /** How many sessions carry nothing. */
  get unused(): number {
    return this.#all().filter(({ unused }) => unused).length;
  }

  /** An open session with room. */
  find(key: string): UpstreamSession | undefined {
    for (const session of this.#open.get(key) ?? []) if (session.hasRoom) return session;
    return undefined;
  }

  /** Dials for a waiting call; the answer takes it out, and stops dialling when it was the last. */
  join(endpoint: Endpoint, waiter: Waiter): () => void {
    const { key } = endpoint;
    const shared = this.#plain.has(key) ? undefined : this.#dialling.get(key);
    const dialling = shared ?? this.#dial(endpoint, waiter);
    dialling.waiting.add(waiter);
    return () => {
      dialling.waiting.delete(waiter);
      if (dialling.waiting.size === 0) this.#abandon(key, dialling);
    };
  }

  /** Closes the sessions that carry nothing; the others go when they do. */
  close(): void {
    this.#closed = true;
    for (const session of this.#all()) session.retire();
  }

  #dial({ key, target, offer }: Endpoint, waiter: Waiter): Dialling {
    const dialling: Dialling = { waiting: new Set([waiter]), given: new AbortController() };
    if (!this.#plain.has(key)) this.#dialling.set(key, dialling);
    const destination = {
      ...target,
      protocols: offer,
      permitted: () => [...dialling.waiting].some((waiter) => waiter.permitted()),
      signal: dialling.given.signal,
    };
    dial(destination, this.#settings)
      .then((dialled) => this.#arrive({ key, target, offer }, dialling, dialled))
      .catch((cause: Error) => this.#fail(key, dialling, cause));
    return dialling;
  }

  #arrive(endpoint: Endpoint, dialling: Dialling, dialled: Dialled): void {
    this.#abandon(endpoint.key, dialling);
    const [first, ...others] = dialling.waiting;
    if (!first) dialled.socket.destroy();
    else if (dialled.protocol === 'h2') this.#shareSession(endpoint, dialling, dialled);
    else {
      this.#plain.set(endpoint.key, true);
      first.useHttp1(dialled);
      for (const other of others) other.lookAgain();
    }
  }

  #shareSession(endpoint: Endpoint, { waiting }: Dialling, dialled: Dialled): void {
    this.#plain.delete(endpoint.key);
    const session = this.#add(endpoint, dialled);
    for (const waiter of waiting) {
      if (session.hasRoom) waiter.useSession(session);
      else waiter.lookAgain();
    }
    if (this.#closed) session.retire();
  }

  #fail(key: string, dialling: Dialling, cause: Error): void {
    this.#abandon(key, dialling);
    for (const waiter of dialling.waiting) waiter.fail(cause);
  }

  #add({ key, target: { origin } }: Endpoint, dialled: Dialled): UpstreamSession {
    const { clock, idleMs } = this.#settings;
    const same = this.#open.get(key) ?? new Set();
    const onDone = (gone: UpstreamSession): void => {
      same.delete(gone);
      if (same.size === 0) this.#open.delete(key);
    };
    const session = new UpstreamSession(dialled, { origin, clock, idleMs, onDone });
    this.#open.set(key, same.add(session));
    return session;
  }

  #abandon(key: string, dialling: Dialling): void {
    if (this.#dialling.get(key) === dialling) this.#dialling.delete(key);
    if (dialling.waiting.size === 0) dialling.given.abort();
  }

  #all(): readonly UpstreamSession[] {
    return [...this.#open.values()].flatMap((sessions) => [...sessions]);
  }
}
