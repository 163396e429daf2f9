/**
 * Fail closed, at every await (threats.md §4): each call that a gate makes of its parts while it serves one call of an
 * agent is made to throw, to reject, and to answer only after the agent has left; one at a time, found by counting.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { rootFile } from '../e2e/tls-origin.ts';
import { get, post, stream, tunnel, webSocket } from './asking.ts';
import { harmAll } from './harmed.ts';
import type { Kind } from './harmed.ts';

const kinds: Readonly<Record<string, Kind>> = {
  'a plain GET': { ask: (on) => get(on), good: /^HTTP\/1\.1 200 / },
  'a GET that is refused': { ask: (on) => get(on, { paths: ['/b'] }), good: /scope_path/ },
  'a GET that is cut': { ask: (on) => get(on, { max_response_bytes: 3 }), good: /lease_response_bytes/ },
  'a POST': { ask: (on) => stream(on, 500), good: /"length":500/ },
  'a bound POST in memory': { ask: (on) => post(on, 500), good: /"length":500/ },
  'a bound POST on disk': { ask: (on) => post(on, 5000), good: /"length":5000/ },
  'a CONNECT that is opened': { ask: (on) => tunnel(on, on.opened, ['GET']), good: /^HTTP\/1\.1 200 / },
  'a CONNECT that stays closed': { ask: (on) => tunnel(on, on.closed, ['CONNECT'], { ca: readFileSync(rootFile, 'utf8') }), good: /^HTTP\/1\.1 200 / },
  'a WebSocket': { ask: webSocket, good: /^HTTP\/1\.1 101 [^]*hello/ },
}; // prettier-ignore

harmAll(t, kinds);
