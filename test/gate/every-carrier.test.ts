/**
 * Fail closed on every carrier (threats.md §4): what `every-await.test.ts` does on the forward port, inside CONNECT on
 * HTTP/2, on the reverse and on the transparent port; and each call of an agent's end is made on a connection that is gone.
 */
import t from 'tap';
import { bodyOf, get, post, priorKnowledge, send, stream, tunnel, webSocket } from './asking.ts';
import { harmAll } from './harmed.ts';
import type { Asked, Kind, Stage } from './harmed.ts';

const grantOf = ({ real: { home } }: Stage, entry = {}): string => home.grant({ entry });
const grantField = (on: Stage, entry = {}): readonly string[] => ['writ-grant', grantOf(on, entry)];
const plainPlace = ({ real }: Stage): string => new URL(real.origin.url).host;

/** One request on HTTP/1.1, on a port that knows its upstream by path or by `Host`. */
function directly(on: Stage, carrier: 'reverse' | 'transparent', entry = {}): Asked {
  const path = carrier === 'reverse' ? '/0/a' : '/a';
  const lines = [`Host: ${plainPlace(on)}`, `Writ-Grant: ${grantOf(on, entry)}`, 'Connection: close'];
  return send(on.ports[carrier], [`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
}

const bound = bodyOf(500);

/** The steps of the gate are the same on each carrier: here it is what the carrier does that goes wrong. */
const CARRYING = /^(exchange|mouth|interceptor|originals|lineage|lease|leases|policy\.decide|upstream|refuser|memory|time\.monotonic|clock\.monotonic)/; // prettier-ignore

const carriers: Readonly<Record<string, Kind>> = {
  'HTTP/2 inside CONNECT': {
    ask: (on) => tunnel(on, on.opened, ['GET'], { alpn: 'h2' }),
    good: /^HTTP\/1\.1 200 /,
    points: CARRYING,
  },
  'a bound POST on HTTP/2 inside CONNECT': {
    ask: (on) => tunnel(on, on.opened, ['POST'], { alpn: 'h2', method: 'POST', body: bound.bytes, entry: { content_sha256: bound.sha256 } }),
    good: /"length":500/,
    points: CARRYING,
  },
  'the reverse port': { ask: (on) => directly(on, 'reverse'), good: /^HTTP\/1\.1 200 /, points: CARRYING },
  'HTTP/2 on the reverse port': {
    ask: (on) => priorKnowledge(on.ports.reverse, 'sidecar', { path: '/0/a', fields: grantField(on), method: 'POST', body: bound.bytes }),
    good: /"length":500/,
    points: CARRYING,
  },
  'the transparent port': { ask: (on) => directly(on, 'transparent'), good: /^HTTP\/1\.1 200 /, points: CARRYING },
}; // prettier-ignore

const EXCHANGE = /^(exchange|mouth)\./;
const gone = { points: EXCHANGE, harms: ['gone'] } as const;

/** A hint before the answer, an end instead of one, or an answer. */
const answer: NonNullable<Kind['plan']>['answer'] = (request, response) => {
  if (request.url === '/lost') request.socket.destroy();
  else if (request.url !== '/hinted') response.end('answered');
  else response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('answered'));
};

const ends: Readonly<Record<string, Kind>> = {
  'gone: a POST': { ask: (on) => stream(on, 500), good: /"length":500/, ...gone },
  'gone: a bound POST': { ask: (on) => post(on, 500), good: /"length":500/, ...gone },
  'gone: a refusal': { ask: (on) => get(on, { paths: ['/b'] }), good: /scope_path/, ...gone },
  'gone: a hint': { ask: (on) => get(on, {}, '/hinted'), good: /^HTTP\/1\.1 103 [^]*answered/, plan: { answer }, ...gone },
  'gone: an upstream that hangs up': { ask: (on) => get(on, {}, '/lost'), good: /^HTTP\/1\.1 502 /, plan: { answer }, ...gone },
  'gone: a WebSocket': { ask: webSocket, good: /^HTTP\/1\.1 101 /, ...gone },
  'gone: HTTP/2 inside CONNECT': { ask: (on) => tunnel(on, on.opened, ['GET'], { alpn: 'h2' }), good: /^HTTP\/1\.1 200 /, ...gone },
  'gone: HTTP/2 on the reverse port': {
    ask: (on) => priorKnowledge(on.ports.reverse, 'sidecar', { path: '/0/hinted', fields: grantField(on), method: 'POST', body: bound.bytes }),
    good: /answered/,
    plan: { answer },
    ...gone,
  },
}; // prettier-ignore

harmAll(t, { ...carriers, ...ends });
