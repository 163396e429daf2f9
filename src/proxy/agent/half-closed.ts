/**
 * Agents that closed their sending side: some still read, and get their answer (RFC 9112 §9.6); some have left. TCP cannot
 * tell the two apart, but on our own machine Linux can, as long as one looks. Where it does not say, they have left.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../gate/outside.ts';
import { heldPeers } from './socket-owner.ts';
import type { PeerPorts } from './socket-owner.ts';

const LOOK_EVERY_MS = 25;
/** A look takes some milliseconds of another thread: so many times as long nobody looks. */
const REST = 4;

/** Those whose calls still run. */
export class HalfClosed {
  readonly #clock: Clock;
  readonly #watched = new Map<Duplex, PeerPorts>();
  #looking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Closes the connection if its agent has left, now or later. */
  watch(socket: Duplex, ports: PeerPorts): void {
    this.#watched.set(socket, ports);
    if (!this.#looking) this.#look().catch(() => this.#giveUp());
  }

  /** Its calls are over. */
  forget(socket: Duplex): void {
    this.#watched.delete(socket);
  }

  /** Nothing can be said any more of those who are watched. */
  #giveUp(): void {
    this.#looking = false;
    for (const socket of this.#watched.keys()) socket.destroy();
    this.#watched.clear();
  }

  /** Who is watched only since it began waits for the next. */
  async #look(): Promise<void> {
    this.#looking = true;
    const began = this.#clock.monotonic();
    const asked = [...this.#watched];
    const isHeld = await heldPeers();
    for (const [socket, ports] of asked) {
      if (!this.#watched.has(socket) || isHeld(ports)) continue;
      this.#watched.delete(socket);
      socket.destroy();
    }
    this.#looking = this.#watched.size > 0;
    const took = this.#clock.monotonic() - began;
    if (!this.#looking) return;
    const again = (): void => void this.#look().catch(() => this.#giveUp());
    this.#clock.after(Math.max(LOOK_EVERY_MS, took * REST), again);
  }
}
