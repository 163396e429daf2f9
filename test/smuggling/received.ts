/** What an origin writes down, whatever it speaks. */
import type { Socket } from 'node:net';

/** A request, as far as it came. Octets as latin1. */
export interface Received {
  readonly method: string;
  readonly target: string;
  /** Name and value, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  /** HTTP/2 only: name and value, in order. */
  readonly trailers: readonly (readonly [string, string])[];
  /** Whether its end came. */
  readonly whole: boolean;
}

/** Says something else than the answer, as soon as the head is there; false: the answer. */
export type Script = (request: Received, to: Asker) => boolean;

/** Where a request came from. */
export interface Asker {
  readonly socket: Socket;
  /** 0: on HTTP/1.1. */
  readonly stream: number;
}

/** Where it is written down. */
export interface Book {
  readonly received: Received[];
  readonly dirty: string[];
  readonly script: Script;
}

/** What an answer says: the request that it answers. */
export function answerBody({ method, target, headers }: Received): string {
  const trace = headers.find(([name]) => name === 'traceparent')?.[1];
  return JSON.stringify({ method, target, trace });
}
