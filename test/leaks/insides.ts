/** Loaded before a sidecar: on SIGUSR2 the process says what it waits for, on SIGWINCH also what it still holds. */
import { EventEmitter } from 'node:events';
import { queryObjects } from 'node:v8';

/** What keeps the event loop busy, by kind (`process.getActiveResourcesInfo`). */
export interface Waiting {
  readonly resources: Readonly<Record<string, number>>;
}

/** What can still be reached after a full collection, counted. */
export interface Reachable {
  /** All that hears events: sockets, TLS, requests, responses, streams and sessions of HTTP/2, clients, proxies. */
  readonly emitters: number;
  /** Timers, also those that keep nothing alive. */
  readonly timers: number;
  /** Bytes of JavaScript. */
  readonly heap: number;
}

const probe = setTimeout(() => undefined, 0);
const Timeout = probe.constructor as new () => NodeJS.Timeout; // node exports no name for it
clearTimeout(probe);

process.on('SIGUSR2', () => say('waiting', { resources: counts(process.getActiveResourcesInfo()) }));

process.on('SIGWINCH', () => {
  const emitters = queryObjects(EventEmitter, { format: 'count' }); // which collects first, and takes a second
  const timers = queryObjects(Timeout, { format: 'count' });
  say('reachable', { emitters, timers, heap: process.memoryUsage().heapUsed });
});

function say(msg: string, what: Waiting | Reachable): void {
  process.stderr.write(`${JSON.stringify({ msg, ...what })}\n`);
}

function counts(names: readonly string[]): Record<string, number> {
  const by: Record<string, number> = {};
  for (const name of names) by[name] = (by[name] ?? 0) + 1;
  return by;
}
