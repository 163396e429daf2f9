/**
 * Fail closed on every carrier (threats.md §4): what `every-await.test.ts` does on the forward port, inside CONNECT on
 * HTTP/2, on the reverse and on the transparent port; and each call of an agent's end is made on a connection that is gone.
 */
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import t from 'tap';
import type { Test } from 'tap';
import { pass } from '../../src/denial/outcome.ts';
import { startConnectProxy } from '../e2e/connect-proxy.ts';
import { rootFile } from '../e2e/tls-origin.ts';
import { bodyOf, get, post, priorKnowledge, redirected, send, stream, tunnel, webSocket } from './asking.ts';
import { startHttp2 } from './beyond.ts';
import { harmAll } from './harmed.ts';
import type { Asked, Kind, Stage } from './harmed.ts';
import type { GatePlan } from './real-gate.ts';

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
const CARRYING = /^(exchange|mouth|interceptor|originals|lineage|lease|leases|policy\.decide|upstream|refuser|memory|time|clock\.monotonic|choose|identity|tls|proxyFor|hop)/; // prettier-ignore

/** From the connection's beginning to its request; what follows is as everywhere. */
const OPENING = /^(exchange|interceptor|originals|time|tls|identity)/;

/** A port that nobody knows is one of a tunnel that stays closed, if its host has any. */
const opened = { passthrough: [] };

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
  'TLS on the transparent port': { ask: (on) => redirected(on, on.opened), good: /^HTTP\/1\.1 200 /, points: OPENING, plan: opened },
  'HTTP/2 in TLS on the transparent port': {
    ask: (on) => redirected(on, on.opened, { alpn: 'h2', method: 'POST', body: bound.bytes }),
    good: /"length":500/,
    points: OPENING,
    plan: opened,
  },
  'TLS that stays closed on the transparent port': { ask: (on) => redirected(on, on.closed), good: /^$/ },
}; // prettier-ignore

/** Every timer that a call can have, none of which comes to its end. */
const LONG_MS = 60_000;
const everyTimer = { headMs: LONG_MS, bodyIdleMs: LONG_MS, totalMs: LONG_MS, agentMs: LONG_MS };

/** An upstream that speaks HTTP/2. */
async function toHttp2(t: Test, scheme: 'http' | 'https'): Promise<GatePlan> {
  const there = await startHttp2(t, scheme);
  const choose = (origin: string): 'h2' | 'auto' => (origin === there.url ? 'h2' : 'auto');
  return { origins: [there], upstream: { ...everyTimer, choose } };
}

/** A proxy before the upstreams that have a name. */
async function throughProxy(t: Test): Promise<GatePlan> {
  const proxy = await startConnectProxy(t);
  const { port } = proxy;
  const addresses = () => Promise.resolve(pass([{ address: '127.0.0.1', family: 4, port } as const]));
  const hop = { addresses, credentials: () => 'Basic dTpw' };
  const proxyFor = (host: string): typeof hop | undefined => (host === 'localhost' ? hop : undefined);
  return { origins: [proxy], upstream: { ...everyTimer, proxyFor } };
}

/** What is asked on the way up. */
const UPWARD = /^(exchange|mouth|time|choose|identity|tls|proxyFor|hop)/;

const upstreams: Readonly<Record<string, Kind>> = {
  'to HTTP/2 in the clear': {
    ask: (on) => stream(on, 500, `http://${on.beyond[0]}`),
    good: /"length":500/,
    points: UPWARD,
    plan: (t) => toHttp2(t, 'http'),
  },
  'from HTTP/2 to HTTP/2 over TLS': {
    ask: (on) => tunnel(on, on.beyond[0] ?? '', ['POST'], { alpn: 'h2', method: 'POST', body: bound.bytes }),
    good: /"length":500/,
    points: UPWARD,
    plan: (t) => toHttp2(t, 'https'),
  },
  'through a proxy': {
    ask: (on) => tunnel(on, on.opened, ['GET']),
    good: /^HTTP\/1\.1 200 /,
    points: UPWARD,
    plan: throughProxy,
  },
  'a CONNECT that stays closed, through a proxy': {
    ask: (on) => tunnel(on, on.closed, ['CONNECT'], { ca: readFileSync(rootFile, 'utf8') }),
    good: /^HTTP\/1\.1 200 /,
    points: UPWARD,
    plan: throughProxy,
  },
  'a WebSocket with every timer': { ask: webSocket, good: /^HTTP\/1\.1 101 [^]*hello/, points: UPWARD, plan: { upstream: everyTimer } },
}; // prettier-ignore

const EXCHANGE = /^(exchange|mouth)\./;
const gone = { points: EXCHANGE, harms: ['gone'] } as const;

/** A hint before the answer, an end instead of one, or an answer. */
const answer: RequestListener = (request, response) => {
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

harmAll(t, { ...carriers, ...upstreams, ...ends });
