/**
 * Whether an agent runs under a uid that can read the sidecar's keys. Then its receipts prove less, and say so:
 * `keys: exposed`. Once seen, it stays so until the next start.
 */
import { peerUid } from '../proxy/peer-uid.ts';
import type { PeerPorts } from '../proxy/peer-uid.ts';

const ROOT = 0;
const LOOK_EVERY_MS = 1000;

/** Looks at who connects. */
export class Exposure {
  readonly #own: number | undefined;
  readonly #monotonic: () => number;
  #exposed: boolean;
  #looked = -Infinity;

  /** `own`: our uid; undefined where the system has none. */
  constructor(known: boolean, own: number | undefined, monotonic: () => number) {
    this.#exposed = known;
    this.#own = own;
    this.#monotonic = monotonic;
  }

  get exposed(): boolean {
    return this.#exposed;
  }

  /** Looks at the other end of a connection; at the first one always, then at most once a second. */
  look(ports: PeerPorts): void {
    const now = this.#monotonic();
    if (this.#exposed || now - this.#looked < LOOK_EVERY_MS) return;
    this.#looked = now;
    const uid = peerUid(ports);
    this.#exposed = uid !== undefined && (uid === ROOT || uid === this.#own);
  }
}
