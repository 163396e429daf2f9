/** node:http2: in a tunnel that its user opens, since it knows no proxies itself; redirected; and in the clear. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import t from 'tap';
import { openTunnel, tlsInside } from '../e2e/tunnels.ts';
import { call, hear, valueOf } from '../proxy/http2-client.ts';
import type { Heard as Streamed } from '../proxy/http2-client.ts';
import {
  assertPermitted,
  assertPieces,
  assertReached,
  assertRefused,
  QUESTION,
  startStage,
} from './stage.ts';
import type { Heard } from './stage.ts';
import { assertWay } from './ways.ts';
import type { Way } from './ways.ts';

const NAMES = ['content-type', 'cache-control', 'proxy-status', 'writ-decision'];

function readable({ status, headers, body }: Streamed): Heard {
  const named = NAMES.map((name) => [name, valueOf(headers, name) ?? '']);
  return { status, headers: Object.fromEntries(named), body: Buffer.from(body, 'latin1').toString() };
}

const stage = await startStage(t);
const { home, site } = stage;

async function open(way: Way): Promise<ClientHttp2Session> {
  if (way !== stage.ways.forward) return connect(way.url, { ca: readFileSync(stage.ca) });
  const authority = `localhost:${site.port}`;
  const { socket } = await openTunnel(stage.sidecar.port('forward'), authority, { grant: stage.grant() });
  const tls = await tlsInside(socket, stage.ca, { servername: 'localhost', ALPNProtocols: ['h2'] });
  return connect(site.url, { createConnection: () => tls });
}

for (const way of Object.values(stage.ways))
  t.test(`streams of one session are decided one by one, ${way.name}`, { skip: way.skip }, async (t) => {
    const [from, entries] = [site.seen.length, home.entries().length];
    const session = await open(way);
    t.teardown(() => session.destroy());
    const grant = Object.entries(way.headers()).flat();
    const { protocol, host, pathname } = new URL(way.url);
    const to = [':scheme', protocol.slice(0, -1), ':authority', host];
    const prefix = pathname === '/' ? '' : pathname;
    const fields = (method: string, path: string, more = grant): readonly string[] => [
      ...[':method', method, ...to, ':path', prefix + path, ...more],
    ];
    const streamed = session.request(fields('GET', '/pieces'));
    const pieces: string[] = [];
    streamed.on('data', (piece) => (pieces.push(String(piece)), site.advance()));
    const all = await Promise.all([
      call(session, fields('POST', '/echo', [...grant, 'content-type', 'text/x']), QUESTION),
      call(session, fields('GET', '/secret/a')),
      hear(streamed),
    ]);
    await assertPermitted(t, home, readable(all[0]), QUESTION);
    assertRefused(t, home, { ...readable(all[1]), code: 'scope_path' });
    assertPieces(t, pieces);
    const own = stage.grant({ entry: { paths: ['/other'] } });
    const again = await call(session, fields('GET', '/secret/b', ['writ-grant', own]));
    assertRefused(t, home, { ...readable(again), code: 'scope_path' });
    session.close();
    await once(session, 'close');
    assertWay(t, home, way, entries);
    const seen = site.seen.slice(from).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    assertReached(t, { ...site, seen }, ['POST /echo', 'GET /pieces']);
    t.ok(seen.every(({ version }) => version === '2.0'));
  });
