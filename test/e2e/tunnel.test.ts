/** CONNECT through the forward port: what is inside is decided request by request, on record, and refused with proof. */
import { once } from 'node:events';
import t from 'tap';
import { assertDenied } from './denied.ts';
import { missing, run } from './program.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { askInside, openTunnel, startTunnels, tlsInside } from './tunnels.ts';

t.test('curl makes https calls through the forward port', { skip: missing('curl') }, async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, sidecar, ca } = await startTunnels(t, { origins: [origin] });
  const proxy = ['--proxy', sidecar.urls.forward ?? '', '--proxy-user', `grant:${home.grant()}`];
  for (const version of ['--http2', '--http1.1']) {
    const args = ['-sS', '-m', '10', version, ...proxy, '--cacert', ca, `${origin.url}/a?x=1`];
    t.match(await run('curl', args), { exit: 0, stdout: '"path":"/a?x=1"' }, version);
  }
  t.strictSame(origin.seen, ['GET /a?x=1', 'GET /a?x=1']);
  const entries = home.entries();
  const at = entries.findIndex(({ type }) => type === 'tunnel');
  t.match(entries[at], { is: { host: 'localhost', port: origin.port, grant: { sub: 'agent:test' } } });
  t.match(entries[at + 1], {
    type: 'decision',
    is: { verdict: 'permit', assurance: { seen: 'inspected' }, call: { origin: origin.url, path: '/a' } },
  });
  t.equal(entries.filter(({ type }) => type === 'tunnel').length, 2);
});

t.test('each request inside is decided on its own, under the grant of the tunnel or its own', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, ca, port } = await startTunnels(t, { origins: [origin] });
  const authority = `localhost:${origin.port}`;
  const get = (path: string, ...lines: readonly string[]): string =>
    [`GET ${path} HTTP/1.1`, `Host: ${authority}`, ...lines, '', ''].join('\r\n');
  const narrow = home.grant({ entry: { paths: ['/a/*'], max_calls: 1 } });
  const { socket, reply } = await openTunnel(port, authority, { grant: narrow });
  t.equal(reply.status, 200);
  const tls = await tlsInside(socket, ca, { servername: 'localhost' });
  t.match(await askInside(tls, get('/a/1')), { status: 200 }, 'covered by the tunnel’s grant');
  assertDenied(t, home, { reply: await askInside(tls, get('/b')), code: 'scope_path' });
  assertDenied(t, home, { reply: await askInside(tls, get('/a/2')), code: 'grant_used_up' });
  const own = home.grant({ entry: { paths: ['/b'] } });
  t.match(await askInside(tls, get('/b', `Writ-Grant: ${own}`)), { status: 200 }, 'covered by its own');
  const other = await askInside(tls, get('/a/3', `Writ-Grant: ${own}`));
  assertDenied(t, home, { reply: other, code: 'scope_path' });
  const expired = await askInside(tls, get('/a/1', `Host: b.test`));
  assertDenied(t, home, { reply: expired, code: 'header_duplicate' });
  await once(tls, 'close');
  t.strictSame(origin.seen, ['GET /a/1', 'GET /b']);
});

t.test('the Host inside must be the one of the tunnel', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, ca, port } = await startTunnels(t, { origins: [origin] });
  const { socket } = await openTunnel(port, `localhost:${origin.port}`, { grant: home.grant() });
  const tls = await tlsInside(socket, ca, { servername: 'localhost' });
  const reply = await askInside(tls, 'GET / HTTP/1.1\r\nHost: b.test\r\n\r\n');
  assertDenied(t, home, { reply, code: 'authority_mismatch' });
  t.strictSame(origin.seen, []);
});

t.test('a refused CONNECT has the same denial, and its holder can fetch it again by id', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, sidecar, port } = await startTunnels(t, { origins: [origin] });
  const grant = home.grant();
  for (const [name, authority, given, code] of [
    ['no grant', `localhost:${origin.port}`, {}, 'grant_missing'],
    ['a host that the grant does not name', 'b.test:443', { grant }, 'scope_location'],
    ['another port', `localhost:${origin.port + 1}`, { grant }, 'scope_location'],
    ['junk for an authority', `localhost:0${origin.port}`, { grant }, 'host_invalid'],
  ] as const) {
    const { reply } = await openTunnel(port, authority, given);
    t.comment(name);
    const { id } = assertDenied(t, home, { reply, code });
    const url = `${sidecar.urls.admin}/.well-known/writ/receipt/${id}`;
    const ask = async (headers: Record<string, string>): Promise<[number, string]> => {
      const answer = await fetch(url, { headers });
      return [answer.status, await answer.text()];
    };
    const own = code === 'scope_location';
    t.strictSame((await ask({ 'writ-grant': grant }))[0], own ? 200 : 404, 'the holder');
    if (own) t.equal((await ask({ 'writ-grant': grant }))[1], reply.body, 'byte for byte');
    t.equal((await ask({}))[0], 404, 'nobody');
    t.equal((await ask({ 'writ-grant': home.grant() }))[0], 404, 'another grant');
    t.strictSame(
      await ask({ authorization: `Bearer ${home.adminToken()}` }),
      [200, reply.body],
      'the operator',
    );
  }
  t.equal(home.entries().filter(({ type }) => type === 'tunnel').length, 0);
});

t.test('bytes that came with the CONNECT wait for the decision, and are the tunnel’s', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, port } = await startTunnels(t, { origins: [origin] });
  const authority = `localhost:${origin.port}`;
  const early = `GET / HTTP/1.1\r\nHost: ${authority}\r\nWrit-Grant: ${home.grant()}\r\n\r\n`;
  const refused = await openTunnel(port, authority, { early });
  assertDenied(t, home, { reply: refused.reply, code: 'grant_missing' });
  const opened = await openTunnel(port, authority, { early, grant: home.grant() });
  t.equal(opened.reply.status, 200);
  const { is } = await home.entry(({ is }) => is['code'] === 'tunnel_not_tls');
  t.match(is, { verdict: 'deny', grant: { sub: 'agent:test' } }, 'HTTP in the clear is not for a tunnel');
  if (!opened.socket.closed) await once(opened.socket.resume(), 'close');
  t.strictSame(origin.seen, []);
});
