/** Hosts whose TLS stays closed: one call with the action CONNECT, under a lease, seen by name only. */
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import type { RequestListener } from 'node:http';
import t from 'tap';
import type { Test } from 'tap';
import type { Json } from '../../src/crypto/json.ts';
import { assertDenied } from './denied.ts';
import { silent } from './origin.ts';
import { rootFile, startTlsOrigin } from './tls-origin.ts';
import type { TlsOrigin } from './tls-origin.ts';
import { askInside, openTunnel, startTunnels, tlsInside } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';

interface Stage extends Tunnels {
  readonly origin: TlsOrigin;
  readonly authority: string;
  /** A grant for CONNECT. */
  granted(entry?: Readonly<Record<string, Json>>): string;
}

async function stage(t: Test, answer?: RequestListener): Promise<Stage> {
  const origin = await startTlsOrigin(t, answer);
  const authority = `localhost:${origin.port}`;
  const tunnels = await startTunnels(t, {
    origins: [origin],
    settings: { tls: { passthrough: [authority] } },
  });
  const granted = (entry = {}): string => tunnels.home.grant({ entry: { actions: ['CONNECT'], ...entry } });
  return { ...tunnels, origin, authority, granted };
}

const get = (authority: string): string =>
  `GET /x HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`;

t.test('the TLS inside is the upstream’s own, and decision and outcome say host-only', async (t) => {
  const { home, port, origin, authority, granted } = await stage(t);
  const { socket, reply } = await openTunnel(port, authority, { grant: granted() });
  t.equal(reply.status, 200);
  const tls = await tlsInside(socket, rootFile, { servername: 'localhost' });
  t.match(await askInside(tls, get(authority)), { status: 200 });
  tls.end();
  const permit = await home.entry(({ type, is }) => type === 'decision' && is['verdict'] === 'permit');
  t.match(permit.is, {
    assurance: { seen: 'host-only' },
    call: { method: 'CONNECT', origin: origin.url, path: '' },
    addresses: [`127.0.0.1:${origin.port}`],
    evaluated: true,
  });
  const { is } = await home.outcome(permit.seq);
  t.match(is, { ended: 'complete', dialled: `127.0.0.1:${origin.port}` });
  t.ok(Number((is['request'] as { bytes: number }).bytes) > 300, 'the bytes are counted');
  t.equal(home.entries().filter(({ type }) => type === 'tunnel').length, 0);
  t.strictSame(origin.seen, ['GET /x']);
});

t.test('it takes the action, an entry that binds nothing inside, and a use', async (t) => {
  const { home, port, origin, authority, granted } = await stage(t);
  const { socket } = await openTunnel(port, authority, { grant: granted() });
  socket.destroy();
  const once = granted({ max_calls: 1 });
  const first = await openTunnel(port, authority, { grant: once });
  t.equal(first.reply.status, 200);
  first.socket.destroy();
  for (const [grant, code] of [
    [home.grant(), 'scope_action'],
    [granted({ paths: ['/**'] }), 'scope_path'],
    [granted({ content_sha256: 'a'.repeat(64) }), 'scope_content'],
    [granted({ mcp_tools: ['search'] }), 'scope_content'],
    [once, 'grant_used_up'],
  ] as const) {
    const { reply } = await openTunnel(port, authority, { grant });
    assertDenied(t, home, { reply, code });
  }
  t.strictSame(origin.names, []);
});

t.test('nothing goes up before the ClientHello has named the host', async (t) => {
  const { home, port, origin, authority, granted } = await stage(t);
  for (const [name, code, begin] of [
    ['another name', 'tunnel_name_mismatch', 'b.test'],
    ['no TLS', 'tunnel_not_tls', undefined],
  ] as const) {
    const from = home.entries().length;
    const { socket, reply } = await openTunnel(port, authority, { grant: granted() });
    t.equal(reply.status, 200);
    if (begin === undefined) socket.write(get(authority));
    else connectTls({ socket, servername: begin, rejectUnauthorized: false }).on('error', () => undefined);
    const { is } = await home.entry(({ seq, type }) => seq >= from && type === 'outcome');
    t.match(is, { ended: 'cut', by: code, request: { bytes: 0 } }, name);
    if (!socket.closed) await once(socket.resume(), 'close');
  }
  t.strictSame(origin.names, []);
});

t.test('an upstream that cannot be reached is a 502, with an outcome', async (t) => {
  const nobody = { port: 1, url: 'https://127.0.0.1:1' };
  const settings = { tls: { passthrough: ['127.0.0.1:1'] } };
  const { home, port } = await startTunnels(t, { origins: [nobody], settings });
  const grant = home.grant({ entry: { actions: ['CONNECT'] } });
  const { reply } = await openTunnel(port, '127.0.0.1:1', { grant });
  t.match(reply, { status: 502, body: /urn:writ:upstream:connect_failed/ });
  const { is } = await home.entry(({ type }) => type === 'outcome');
  t.match(is, { ended: 'upstream-error' });
});

t.test('a lease cuts it in the middle', async (t) => {
  const limits: readonly (readonly [Record<string, Json>, string])[] = [
    [{ max_seconds: 1 }, 'lease_seconds'],
    [{ max_response_bytes: 500 }, 'lease_response_bytes'],
    [{ max_request_bytes: 100 }, 'lease_request_bytes'],
  ];
  const { home, port, authority, granted } = await stage(t, silent);
  for (const [entry, by] of limits) {
    const from = home.entries().length;
    const { socket } = await openTunnel(port, authority, { grant: granted(entry) });
    const tls = connectTls({ socket, servername: 'localhost', rejectUnauthorized: false });
    tls.on('error', () => undefined).on('secureConnect', () => tls.write(get(authority)));
    tls.on('data', () => undefined);
    const { is } = await home.entry(({ seq, type }) => seq >= from && type === 'outcome');
    t.match(is, { ended: 'cut', by }, by);
    if (!socket.closed) await once(socket, 'close');
  }
});

t.test('a stop lets it run for its grace, then cuts it', async (t) => {
  const { home, sidecar, port, authority, granted } = await stage(t, silent);
  const { socket } = await openTunnel(port, authority, { grant: granted() });
  const tls = connectTls({ socket, servername: 'localhost', rejectUnauthorized: false });
  await once(tls, 'secureConnect');
  tls.on('error', () => undefined);
  const stopped = sidecar.stop();
  sidecar.cut();
  await stopped;
  const outcome = home.entries().find(({ type }) => type === 'outcome');
  t.match(outcome?.is, { ended: 'cut', by: 'lease_stopped' });
});
