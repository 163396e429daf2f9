/** A lane whose protocol is known only once there is a connection: a stream of a trunk, or HTTP/1.1. */
import type { Address, Clock } from '../gate/outside.ts';
import type { Dialled } from './dial.ts';
import type { Errand, Outgoing } from './errand.ts';
import { StreamErrand } from './http2-errand.ts';
import type { Trunk } from './http2-trunk.ts';
import type { Lane } from './lane.ts';
import type { Journey, Passenger, Trunks } from './trunks.ts';

/** What such a lane is made with. */
export interface NegotiatedLaneParts extends Journey {
  readonly trunks: Trunks;
  readonly clock: Clock;
  /** A lane over a connection that turned out to speak HTTP/1.1. */
  http1(opened: Dialled): Lane;
}

/** Carries one request, once. */
export class NegotiatedLane implements Lane {
  readonly #parts: NegotiatedLaneParts;
  #dialled: Address | undefined;
  #leave: () => void = () => undefined;
  #carrier: { release(): void; destroy(): void } | undefined;
  #carriesTrailers = false;

  constructor(parts: NegotiatedLaneParts) {
    this.#parts = parts;
  }

  get dialled(): Address | undefined {
    return this.#dialled;
  }

  get carriesTrailers(): boolean {
    return this.#carriesTrailers;
  }

  send(request: Outgoing, errand: Errand): void {
    const passenger: Passenger = {
      permitted: () => errand.permitted(),
      board: (trunk) => this.#board(trunk, request, errand),
      walk: (dialled) => this.#walk(dialled, request, errand),
      again: () => this.send(request, errand),
      strand: (cause) => errand.failed(cause),
    };
    const trunk = this.#parts.trunks.find(this.#parts.key);
    if (trunk) passenger.board(trunk);
    else this.#leave = this.#parts.trunks.join(this.#parts, passenger);
  }

  release(): void {
    this.#carrier?.release();
  }

  destroy(): void {
    this.#leave();
    this.#carrier?.destroy();
  }

  #board(trunk: Trunk, request: Outgoing, errand: Errand): void {
    this.#dialled = trunk.address;
    this.#carriesTrailers = true;
    this.#carrier = new StreamErrand(trunk, { clock: this.#parts.clock, request, errand });
  }

  #walk(dialled: Dialled, request: Outgoing, errand: Errand): void {
    this.#dialled = dialled.address;
    const lane = this.#parts.http1(dialled);
    this.#carrier = lane;
    lane.send(request, errand);
  }
}
