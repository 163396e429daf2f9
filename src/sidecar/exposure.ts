/**
 * Whether an agent runs under a uid that can read the sidecar's keys. Then its receipts prove less, and say so:
 * `keys: exposed`. Once seen, it stays so until the next start.
 */
import type { Clock } from '../gate/outside.ts';
import { peerUid } from '../proxy/agent/socket-owner.ts';
import type { PeerPorts } from '../proxy/agent/socket-owner.ts';

const ROOT = 0;
const LOOK_EVERY_MS = 1000;

/** Looks at who connects. */
export class Exposure {
  readonly #own: number | undefined;
  readonly #clock: Clock;
  #exposed: boolean;
  #looked = -Infinity;
  #skipped: PeerPorts | undefined;

  /** `own`: our uid; undefined where the system has none. */
  constructor(known: boolean, own: number | undefined, clock: Clock) {
    this.#exposed = known;
    this.#own = own;
    this.#clock = clock;
  }

  get exposed(): boolean {
    return this.#exposed;
  }

  /**
   * Looks at the other end of a connection: at the first one at once, then at most once a second, since each look reads
   * a table of the system. The last one that was passed over is looked at when its second is over.
   */
  look(ports: PeerPorts): void {
    if (this.#exposed) return;
    const wait = this.#looked + LOOK_EVERY_MS - this.#clock.monotonic();
    if (wait <= 0) return this.#lookNow(ports);
    if (!this.#skipped) this.#clock.after(wait, () => this.#lookAgain());
    this.#skipped = ports;
  }

  #lookAgain(): void {
    const ports = this.#skipped;
    this.#skipped = undefined;
    if (ports) this.#lookNow(ports);
  }

  #lookNow(ports: PeerPorts): void {
    this.#looked = this.#clock.monotonic();
    const uid = peerUid(ports);
    this.#exposed ||= uid !== undefined && (uid === ROOT || uid === this.#own);
  }
}
