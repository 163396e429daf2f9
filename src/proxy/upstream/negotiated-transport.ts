/** A transport whose protocol is known only once there is a connection: a stream of a session, or HTTP/1.1. */
import type { Address, Clock } from '../../gate/outside.ts';
import type { Dialled } from './dial.ts';
import { Http2Request } from './http2-request.ts';
import type { Transport } from './transport.ts';
import type { ResponseHandler, UpstreamRequest } from './request.ts';
import type { UpstreamSession } from './session.ts';
import type { Endpoint, Waiter, UpstreamSessions } from './sessions.ts';

/** What such a transport is made with. */
export interface NegotiatedTransportParts extends Endpoint {
  readonly sessions: UpstreamSessions;
  readonly clock: Clock;
  /** A transport over a connection that turned out to speak HTTP/1.1. */
  http1(opened: Dialled): Transport;
}

/** Carries one request, once. */
export class NegotiatedTransport implements Transport {
  readonly #parts: NegotiatedTransportParts;
  #dialled: Address | undefined;
  #leave: () => void = () => undefined;
  #carrier: { release(): void; destroy(): void } | undefined;
  #carriesTrailers = false;

  constructor(parts: NegotiatedTransportParts) {
    this.#parts = parts;
  }

  get dialled(): Address | undefined {
    return this.#dialled;
  }

  get carriesTrailers(): boolean {
    return this.#carriesTrailers;
  }

  send(request: UpstreamRequest, handler: ResponseHandler): void {
    const waiter: Waiter = {
      permitted: () => handler.permitted(),
      useSession: (session) => this.#useSession(session, request, handler),
      useHttp1: (dialled) => this.#useHttp1(dialled, request, handler),
      lookAgain: () => this.send(request, handler),
      fail: (cause) => handler.failed(cause),
    };
    const session = this.#parts.sessions.find(this.#parts.key);
    if (session) waiter.useSession(session);
    else this.#leave = this.#parts.sessions.join(this.#parts, waiter);
  }

  release(): void {
    this.#carrier?.release();
  }

  destroy(): void {
    this.#leave();
    this.#carrier?.destroy();
  }

  #useSession(session: UpstreamSession, request: UpstreamRequest, handler: ResponseHandler): void {
    this.#dialled = session.address;
    this.#carriesTrailers = true;
    this.#carrier = new Http2Request(session, { clock: this.#parts.clock, request, handler });
  }

  #useHttp1(dialled: Dialled, request: UpstreamRequest, handler: ResponseHandler): void {
    this.#dialled = dialled.address;
    const transport = this.#parts.http1(dialled);
    this.#carrier = transport;
    transport.send(request, handler);
  }
}
