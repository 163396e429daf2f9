/** What a connection inside CONNECT stands for: no request on it names its place whole. */
import type { Credential } from './call.ts';
import type { Place } from './host.ts';

/** One such connection. Every request on it must be for its place, and is decided on its own. */
export interface Tunnel {
  readonly place: Place;
  /** The grant of the CONNECT: covers the requests inside that bring none of their own. */
  readonly credential?: Credential;
}
