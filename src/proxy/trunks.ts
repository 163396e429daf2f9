/** The open HTTP/2 connections to upstreams, and those that are being dialled. */
import { LRUCache } from 'lru-cache';
import { dial } from './dial.ts';
import type { Dialled, Protocol } from './dial.ts';
import { Trunk } from './http2-trunk.ts';
import type { LaneSettings, LaneTarget } from './lane.ts';

/** A call that waits for a connection. */
export interface Passenger {
  /** Asked in the last synchronous step before dialling. */
  permitted(): boolean;
  /** There is a trunk with room. */
  board(trunk: Trunk): void;
  /** The upstream speaks HTTP/1.1: this connection is the passenger's alone. */
  walk(dialled: Dialled): void;
  /** Neither, since others took it: look again. */
  again(): void;
  strand(cause: Error): void;
}

/** Where a passenger wants to go. */
export interface Journey {
  readonly key: string;
  readonly target: LaneTarget;
  readonly offer: readonly Protocol[];
}

interface Dialling {
  readonly waiting: Set<Passenger>;
  readonly given: AbortController;
}

const REMEMBERED = 1024;

/** Trunks by key. Passengers to one place share its dialling, unless it is known to speak HTTP/1.1. */
export class Trunks {
  readonly #settings: LaneSettings;
  readonly #open = new Map<string, Set<Trunk>>();
  readonly #dialling = new Map<string, Dialling>();
  readonly #plain = new LRUCache<string, true>({ max: REMEMBERED });
  #closed = false;

  constructor(settings: LaneSettings) {
    this.#settings = settings;
  }

  /** How many trunks carry nothing. */
  get unused(): number {
    return this.#all().filter(({ unused }) => unused).length;
  }

  /** An open trunk with room. */
  find(key: string): Trunk | undefined {
    for (const trunk of this.#open.get(key) ?? []) if (trunk.hasRoom) return trunk;
    return undefined;
  }

  /** Dials for a passenger; the answer leaves it behind, and stops dialling when it was the last. */
  join(journey: Journey, passenger: Passenger): () => void {
    const { key } = journey;
    const shared = this.#plain.has(key) ? undefined : this.#dialling.get(key);
    const dialling = shared ?? this.#dial(journey, passenger);
    dialling.waiting.add(passenger);
    return () => {
      dialling.waiting.delete(passenger);
      if (dialling.waiting.size === 0) this.#abandon(key, dialling);
    };
  }

  /** Closes the trunks that carry nothing; the others go when they do. */
  close(): void {
    this.#closed = true;
    for (const trunk of this.#all()) trunk.retire();
  }

  #dial({ key, target, offer }: Journey, passenger: Passenger): Dialling {
    const dialling: Dialling = { waiting: new Set([passenger]), given: new AbortController() };
    if (!this.#plain.has(key)) this.#dialling.set(key, dialling);
    const destination = {
      ...target,
      protocols: offer,
      permitted: () => [...dialling.waiting].some((passenger) => passenger.permitted()),
      signal: dialling.given.signal,
    };
    dial(destination, this.#settings).then(
      (dialled) => this.#arrive({ key, target, offer }, dialling, dialled),
      (cause: Error) => this.#strand(key, dialling, cause),
    );
    return dialling;
  }

  #arrive(journey: Journey, dialling: Dialling, dialled: Dialled): void {
    this.#abandon(journey.key, dialling);
    const [first, ...others] = dialling.waiting;
    if (!first) dialled.socket.destroy();
    else if (dialled.protocol === 'h2') this.#boardAll(journey, dialling, dialled);
    else {
      this.#plain.set(journey.key, true);
      first.walk(dialled);
      for (const other of others) other.again();
    }
  }

  #boardAll(journey: Journey, { waiting }: Dialling, dialled: Dialled): void {
    this.#plain.delete(journey.key);
    const trunk = this.#add(journey, dialled);
    for (const passenger of waiting) {
      if (trunk.hasRoom) passenger.board(trunk);
      else passenger.again();
    }
  }

  #strand(key: string, dialling: Dialling, cause: Error): void {
    this.#abandon(key, dialling);
    for (const passenger of dialling.waiting) passenger.strand(cause);
  }

  #add({ key, target: { origin } }: Journey, dialled: Dialled): Trunk {
    const { clock, idleMs } = this.#settings;
    const same = this.#open.get(key) ?? new Set();
    const onDone = (gone: Trunk): void => {
      same.delete(gone);
      if (same.size === 0) this.#open.delete(key);
    };
    const trunk = new Trunk(dialled, { origin, clock, idleMs, onDone });
    this.#open.set(key, same.add(trunk));
    if (this.#closed) trunk.retire();
    return trunk;
  }

  #abandon(key: string, dialling: Dialling): void {
    if (this.#dialling.get(key) === dialling) this.#dialling.delete(key);
    if (dialling.waiting.size === 0) dialling.given.abort();
  }

  #all(): readonly Trunk[] {
    return [...this.#open.values()].flatMap((trunks) => [...trunks]);
  }
}
