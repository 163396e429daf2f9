/** A limit on connections: at it those that carry nothing make room for who comes, and those with a call stay. */
import type { Socket } from 'node:net';
import type { Shed } from './load-shedding.ts';

/** What the limits are. */
export interface ConnectionLimitParts {
  /** Connections at a time. */
  readonly most: number;
  /** Of them, those without a call whose TLS we opened: each costs some 70 KiB, one in the clear a tenth of it. */
  readonly mostIdleTls: number;
  /** Hears of each one that was closed at a limit. */
  onShed?(what: Shed): void;
}

/** So many of a hundred may come at once beyond the limit, while others are making room for them. */
const CLOSING_PERCENT = 3;

/** All connections that share a limit. */
export class ConnectionLimit {
  readonly #parts: ConnectionLimitParts;
  /** Without a call yet, or any more: who has waited longest first, in each of these. */
  readonly #silent = new Set<ConnectionSlot>();
  readonly #idle = new Set<ConnectionSlot>();
  /** The ones in TLS, of both. Who was opened just now is about to ask: of these the silent do not go first. */
  readonly #idleTls = new Set<ConnectionSlot>();
  #taken = 0;

  constructor(parts: ConnectionLimitParts) {
    this.#parts = parts;
  }

  /** So many may be open: connections count until they are closed. */
  get most(): number {
    const { most } = this.#parts;
    return most + Math.ceil((most * CLOSING_PERCENT) / 100);
  }

  /** Takes a connection in; at the limit for another one. Where all others have a call, it is closed itself. */
  enter(socket: Socket): ConnectionSlot {
    const slot = new ConnectionSlot(this, () => socket.destroy());
    this.#taken += 1;
    socket.once('close', () => {
      this.#taken -= 1;
      slot.leave();
    });
    const [silent] = this.#silent;
    const [idle] = this.#idle;
    if (this.#taken > this.#parts.most) this.#shed(silent ?? idle ?? slot);
    slot.rest();
    return slot;
  }

  /** It has no call. */
  rest(slot: ConnectionSlot): void {
    (slot.isSilent ? this.#silent : this.#idle).add(slot);
    if (slot.isTls) this.#idleTls.add(slot);
    const [longest] = this.#idleTls;
    if (longest && this.#idleTls.size > this.#parts.mostIdleTls) this.#shed(longest);
  }

  /** It has one, or is gone. */
  stand(slot: ConnectionSlot): void {
    for (const waiting of [this.#silent, this.#idle, this.#idleTls]) waiting.delete(slot);
  }

  #shed(slot: ConnectionSlot): void {
    slot.shed();
    this.#parts.onShed?.('connection');
  }
}

/** One connection's place. */
export class ConnectionSlot {
  readonly #limit: ConnectionLimit;
  #close: () => void;
  #onHeard: () => void = () => undefined;
  #calls = 0;
  #isSilent = true;
  #isTls = false;
  #isShed = false;
  #gone = false;

  constructor(limit: ConnectionLimit, close: () => void) {
    this.#limit = limit;
    this.#close = close;
  }

  /** Whether it was closed to make room: that says nothing of its agent. */
  get isShed(): boolean {
    return this.#isShed;
  }

  /** Whether there was no call yet. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Whether its TLS was opened. */
  get isTls(): boolean {
    return this.#isTls;
  }

  /** A better way to close it, now that more is known of it. */
  closeBy(close: () => void): void {
    this.#close = close;
  }

  /** Calls back with the first call, or with the connection's end. One listener. */
  onHeard(listener: () => void): void {
    this.#onHeard = listener;
  }

  /** Its TLS is open now, and waits for the first call in it. */
  openedTls(): void {
    this.#isTls = true;
    this.rest();
  }

  /** It waits for a call, unless it has one or is gone. */
  rest(): void {
    if (this.#calls === 0 && !this.#gone) this.#limit.rest(this);
  }

  /** A call begins. What this gives is to be called when it is over; once more does no harm. */
  begin(): () => void {
    this.#calls += 1;
    this.#isSilent = false;
    this.#stand();
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#calls -= 1;
      this.rest();
    };
  }

  /** Closes the connection for another one. */
  shed(): void {
    this.#isShed = true;
    this.leave();
    this.#close();
  }

  /** The connection is gone. */
  leave(): void {
    this.#gone = true;
    this.#stand();
  }

  #stand(): void {
    this.#onHeard();
    this.#onHeard = () => undefined;
    this.#limit.stand(this);
  }
}
