/** A limit on connections: at it those that carry nothing make room for who comes, and those with a call stay. */
import type { Socket } from 'node:net';
import type { Shed } from './load-shedding.ts';

/** What the limit is. */
export interface ConnectionLimitParts {
  /** Connections at a time. */
  readonly most: number;
  /** Hears of each one that was closed at the limit. */
  onShed?(what: Shed): void;
}

/** So many of a hundred may come at once beyond the limit, while others are making room for them. */
const CLOSING_PERCENT = 3;

/** All connections that share a limit. */
export class ConnectionLimit {
  readonly #parts: ConnectionLimitParts;
  readonly #waiting: Waiting = { silent: new Set(), idle: new Set() };
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
    const { most, onShed } = this.#parts;
    const slot = new ConnectionSlot(this.#waiting, () => socket.destroy());
    this.#taken += 1;
    socket.once('close', () => {
      this.#taken -= 1;
      slot.leave();
    });
    if (this.#taken > most) {
      const [silent] = this.#waiting.silent;
      const [idle] = this.#waiting.idle;
      (silent ?? idle ?? slot).shed();
      onShed?.('connection');
    }
    slot.wait();
    return slot;
  }
}

/** Those without a call, who has waited longest first. */
interface Waiting {
  /** There was no call yet. */
  readonly silent: Set<ConnectionSlot>;
  readonly idle: Set<ConnectionSlot>;
}

/** One connection's place. */
export class ConnectionSlot {
  readonly #waiting: Waiting;
  #close: () => void;
  #onHeard: () => void = () => undefined;
  #calls = 0;
  #isShed = false;
  #gone = false;

  constructor(waiting: Waiting, close: () => void) {
    this.#waiting = waiting;
    this.#close = close;
  }

  /** Whether it was closed to make room: that says nothing of its agent. */
  get isShed(): boolean {
    return this.#isShed;
  }

  /** A better way to close it, now that more is known of it. */
  closeBy(close: () => void): void {
    this.#close = close;
  }

  /** Calls back with the first call, or with the connection's end. One listener. */
  onHeard(listener: () => void): void {
    this.#onHeard = listener;
  }

  /** It was taken in, and says nothing yet. */
  wait(): void {
    if (!this.#gone && !this.#isShed) this.#waiting.silent.add(this);
  }

  /** A call begins. What this gives is to be called when it is over; once more does no harm. */
  begin(): () => void {
    this.#calls += 1;
    this.#stand();
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#calls -= 1;
      if (this.#calls === 0 && !this.#gone) this.#waiting.idle.add(this);
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
    this.#waiting.silent.delete(this);
    this.#waiting.idle.delete(this);
  }
}
