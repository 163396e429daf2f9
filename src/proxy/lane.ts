/** One upstream connection at a time, for one agent, one origin and one list of vetted addresses. */
import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import { dial } from './dial.ts';
import type { DialSettings } from './dial.ts';
import type { Address } from '../gate/outside.ts';

/** What a lane is for; never anything else in its life. */
export interface LaneTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly origin: string;
  readonly addresses: readonly Address[];
}

/** How lanes behave. */
export interface LaneSettings extends DialSettings {
  /** How long an unused connection is kept, in milliseconds. */
  readonly idleMs: number;
  /** Response head, in bytes. */
  readonly maxHeadBytes: number;
}

/** A request that a lane may carry. */
export interface Errand extends Dispatcher.DispatchHandler {
  /** Asked in the last synchronous step before dialling. */
  permitted(): boolean;
}

/**
 * An undici `Client`, which never has more than one socket and one request here. It may dial anew on its own only
 * before a request was written; what was written is never sent again.
 */
export class Lane {
  readonly key: string;
  readonly #client: Client;
  readonly #given = new AbortController();
  #errand: Errand | undefined;
  #dialled: Address | undefined;
  #socket: Socket | undefined;

  constructor(key: string, target: LaneTarget, settings: LaneSettings) {
    this.key = key;
    this.#client = new Client(target.origin, {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: settings.idleMs,
      keepAliveMaxTimeout: settings.idleMs,
      maxHeaderSize: settings.maxHeadBytes,
      connect: (_options, done) => this.#connect(target, settings, done),
    });
  }

  /** The address of the connection that carried the last errand; undefined before one was open. */
  get dialled(): Address | undefined {
    return this.#dialled;
  }

  /** Whether another request may be sent on the connection. */
  get reusable(): boolean {
    return this.#socket?.destroyed === false && this.#errand === undefined;
  }

  /** Calls back when the connection is gone, for whatever reason. */
  onDisconnect(listener: () => void): void {
    this.#client.on('disconnect', listener);
  }

  /** Sends one request. Errors come to the errand. */
  send(request: Dispatcher.DispatchOptions, errand: Errand): void {
    this.#errand = errand;
    this.#client.dispatch(request, errand);
  }

  /** The errand is done; the lane carries nothing now. */
  rest(): void {
    this.#errand = undefined;
  }

  /** Closes the connection, or stops dialling. */
  destroy(): void {
    this.#given.abort();
    this.#client.destroy().catch(() => undefined); // it was destroyed already
  }

  #connect(target: LaneTarget, settings: LaneSettings, done: Connected): void {
    this.#dialled = undefined;
    const destination = {
      ...target,
      permitted: () => this.#errand?.permitted() ?? false,
      signal: this.#given.signal,
    };
    dial(destination, settings).then(
      ({ socket, address }) => {
        this.#dialled = address;
        this.#socket = socket;
        done(null, socket);
      },
      (cause: Error) => done(cause, null),
    );
  }
}

type Connected = Parameters<Extract<Client.Options['connect'], (...given: never[]) => void>>[1];
