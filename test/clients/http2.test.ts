/** node:http2 in a tunnel that its user opens, since it knows no proxies itself; and to the reverse port, in the clear. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import t from 'tap';
import type { Test } from 'tap';
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
import type { Heard, Stage } from './stage.ts';

const NAMES = ['content-type', 'cache-control', 'proxy-status', 'writ-decision'];

function readable({ status, headers, body }: Streamed): Heard {
  const named = NAMES.map((name) => [name, valueOf(headers, name) ?? '']);
  return { status, headers: Object.fromEntries(named), body: Buffer.from(body, 'latin1').toString() };
}

/** A session, and what its requests begin with. */
interface Way {
  readonly session: ClientHttp2Session;
  readonly scheme: string;
  readonly authority: string;
  readonly prefix: string;
  /** On each request. */
  readonly headers: readonly string[];
}

async function checkSession(t: Test, stage: Stage, way: Way): Promise<void> {
  const { home, site } = stage;
  const { session, scheme, authority, prefix, headers } = way;
  t.teardown(() => session.destroy());
  const fields = (method: string, path: string, ...more: readonly string[]): readonly string[] => [
    ...[':method', method, ':scheme', scheme, ':authority', authority, ':path', prefix + path, ...more],
  ];
  const streamed = session.request(fields('GET', '/pieces', ...headers));
  const pieces: string[] = [];
  streamed.on('data', (piece) => (pieces.push(String(piece)), site.advance()));
  const all = await Promise.all([
    call(session, fields('POST', '/echo', 'content-type', 'text/x', ...headers), QUESTION),
    call(session, fields('GET', '/secret/a', ...headers)),
    hear(streamed),
  ]);
  await assertPermitted(t, home, readable(all[0]), QUESTION);
  assertRefused(t, home, { ...readable(all[1]), code: 'scope_path' });
  assertPieces(t, pieces);
  const own = stage.grant({ entry: { paths: ['/other'] } });
  const again = await call(session, fields('GET', '/secret/b', 'writ-grant', own));
  assertRefused(t, home, { ...readable(again), code: 'scope_path' });
  session.close();
  await once(session, 'close');
  assertReached(t, { ...site, seen: site.seen.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }, [
    'POST /echo',
    'GET /pieces',
  ]);
  t.ok(site.seen.every(({ version }) => version === '2.0'));
}

t.test('streams of one session are decided one by one', async (t) => {
  const stage = await startStage(t);
  const authority = `localhost:${stage.site.port}`;
  const { socket } = await openTunnel(stage.sidecar.port('forward'), authority, { grant: stage.grant() });
  const tls = await tlsInside(socket, stage.ca, { servername: 'localhost', ALPNProtocols: ['h2'] });
  const session = connect(stage.site.url, { createConnection: () => tls });
  await checkSession(t, stage, { session, scheme: 'https', authority, prefix: '', headers: [] });
});

t.test('and so are those to the reverse port', async (t) => {
  const stage = await startStage(t);
  const headers = ['writ-grant', stage.grant()];
  const { host: authority } = new URL(stage.reverse);
  const session = connect(stage.reverse);
  await checkSession(t, stage, { session, scheme: 'http', authority, prefix: '/api', headers });
});
