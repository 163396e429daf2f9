/** The transparent port: agents that were redirected there know of no proxy, and are governed all the same. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import t from 'tap';
import { hasProc } from './child-sidecar.ts';
import { assertDenied } from './denied.ts';
import type { Recorded, TestHome } from './home.ts';
import { startOrigin } from './origin.ts';
import { missing, run } from './program.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { askInside, startTunnels, tlsInside } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';
import { exchange, readReply } from './wire.ts';
import type { Reply } from './wire.ts';

/** Where it listens. */
function portOf({ sidecar }: Pick<Tunnels, 'sidecar'>): number {
  return Number(new URL(sidecar.urls.transparent ?? '').port);
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** One request head. */
function head(method: string, path: string, ...lines: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

/** A reply that curl prints with its head, whatever its version. */
async function curl(port: number, args: readonly string[]): Promise<Reply> {
  const redirected = ['-sSi', '-m', '10', '--noproxy', '*', '--connect-to', `::127.0.0.1:${port}`];
  const { stdout, stderr, exit } = await run('curl', [...redirected, ...args]);
  const reply = readReply(stdout.replace(/^HTTP\/2 /, 'HTTP/1.1 '), true);
  if (exit !== 0 || !reply) throw new Error(`curl ended with ${exit}: ${stderr}\n${stdout}`);
  return reply;
}

// One sidecar and its origins serve all tests that need no settings or end of their own.
const secure = await startTlsOrigin(t);
const plain = await startOrigin(t);
const settings = { tls: { passthrough: ['pinned.test:8443'] } };
const on = await startTunnels(t, { origins: [secure, plain], settings });
/** One that waits for nobody. */
const hasty = await startTunnels(t, { settings: { limits: { header_timeout_ms: 300 } } });

t.test('curl is served without knowing of it', { skip: missing('curl') }, async (t) => {
  const grant = ['-H', `Writ-Grant: ${on.home.grant()}`];
  const ways = [
    ['HTTP/2 in TLS', [`${secure.url}/a?x=1`, '--http2', '--cacert', on.ca]],
    ['HTTP/1.1 in TLS', [`${secure.url}/a?x=1`, '--http1.1', '--cacert', on.ca]],
    ['HTTP in the clear', [`${plain.url}/a?x=1`]],
    ['HTTP/2 in the clear', [`${plain.url}/a?x=1`, '--http2-prior-knowledge']],
  ] as const;
  for (const [name, args] of ways) {
    const permitted = await curl(portOf(on), [...args, ...grant]);
    t.match(permitted, { status: 200, body: /"path":"\/a\?x=1"/ }, name);
    assertDenied(t, on.home, { reply: await curl(portOf(on), args), code: 'grant_missing' });
    const method = ['-X', 'PATCH'];
    const reply = await curl(portOf(on), [...args, ...grant, ...method]);
    const { is } = assertDenied(t, on.home, { reply, code: 'scope_action' });
    t.match(is, { redirected: { original: 'unknown' }, call: { method: 'PATCH', path: '/a' } }, name);
  }
  t.strictSame(secure.seen, ['GET /a?x=1', 'GET /a?x=1']);
  t.equal(plain.seen.length, 2);
  t.equal(plain.seen[0]?.headers['writ-grant'], undefined, 'the grant stays here');
  t.notOk(on.home.entries().some(({ type }) => type === 'tunnel'), 'there is no tunnel');
}); // prettier-ignore

t.test('each request on one connection is decided on its own', async (t) => {
  const before = secure.seen.length;
  const host = `Host: localhost:${secure.port}`;
  const tls = await tlsInside(await dial(portOf(on)), on.ca, { servername: 'localhost' });
  t.equal(tls.getPeerCertificate().subjectaltname, 'DNS:localhost');
  const grant = `Writ-Grant: ${on.home.grant({ entry: { paths: ['/a'] } })}`;
  t.match(await askInside(tls, head('GET', '/a', host, grant)), { status: 200 });
  const without = await askInside(tls, head('GET', '/a', host));
  const { is } = assertDenied(t, on.home, { reply: without, code: 'grant_missing' });
  if (hasProc) t.match(is, { assurance: { keys: 'exposed' } }, 'the agent has the sidecar’s uid here');
  const beyond = await askInside(tls, head('GET', '/b', host, grant));
  assertDenied(t, on.home, { reply: beyond, code: 'scope_path' });
  t.match(await askInside(tls, head('GET', '/a', host, grant)), { status: 200 });
  tls.destroy();
  t.strictSame(secure.seen.slice(before), ['GET /a', 'GET /a']);
});

t.test('what names another host than TLS did, or none, is refused', async (t) => {
  const { port } = secure;
  const before = secure.seen.length;
  const locations = ['localhost', 'b.test'].map((host) => `https://${host}:${port}`);
  const grant = `Writ-Grant: ${on.home.grant({ entry: { locations } })}`;
  const host = `localhost:${port}`;
  for (const [bytes, code] of [
    [head('GET', '/', `Host: b.test:${port}`, grant), 'authority_mismatch'],
    [head('GET', '/', `Host: 127.0.0.1:${port}`, grant), 'authority_mismatch'],
    [head('GET', '/', grant), 'host_missing'],
    [head('GET', `https://${host}/`, `Host: ${host}`, grant), 'target_origin_required'],
    [head('CONNECT', host, `Host: ${host}`, grant), 'tunnel_unsupported'],
    [head('GET', '/', 'Host: localhost', grant), 'scope_location'],
  ] as const) {
    const tls = await tlsInside(await dial(portOf(on)), on.ca, { servername: 'localhost' });
    assertDenied(t, on.home, { reply: await askInside(tls, bytes), code });
    tls.destroy();
  }
  t.equal(secure.seen.length, before);
});

t.test('an HTTP/2 stream for another host is told to connect anew', { skip: missing('curl') }, async (t) => {
  const before = secure.seen.length;
  const args = ['--http2', '--cacert', on.ca, '-H', 'Host: b.test', `${secure.url}/`];
  const reply = await curl(portOf(on), args);
  assertDenied(t, on.home, { reply, code: 'authority_misdirected', status: 421 });
  t.equal(secure.seen.length, before);
});

t.test('in the clear the host is what Host says', async (t) => {
  const before = plain.seen.length;
  const grant = `Writ-Grant: ${on.home.grant()}`;
  const host = `Host: 127.0.0.1:${plain.port}`;
  t.match(await exchange(portOf(on), head('GET', '/a', host, grant)), { status: 200 });
  for (const [bytes, code] of [
    [head('GET', '/', grant), 'host_missing'],
    [head('GET', '/', host, host, grant), 'header_duplicate'],
    [head('GET', `${plain.url}/`, host, grant), 'target_origin_required'],
    [`GET / HTTP/1.0\r\n${grant}\r\n\r\n`, 'host_missing'],
  ] as const)
    assertDenied(t, on.home, { reply: await exchange(portOf(on), bytes), code });
  t.equal(plain.seen.length, before + 1);
});

t.test('it leads to none of the sidecar’s own listeners', async (t) => {
  const own = Object.values(on.sidecar.urls);
  t.equal(own.length, 4);
  for (const url of own) {
    const { port } = new URL(url);
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      const location = `http://${host}:${port}`;
      const grant = `Writ-Grant: ${on.home.grant({ entry: { locations: [location] } })}`;
      const reply = await exchange(portOf(on), head('GET', '/', `Host: ${host}:${port}`, grant));
      assertDenied(t, on.home, { reply, code: 'address_own' });
    }
  }
});

/** The denial of a connection that never had a request, from this entry on. */
function turnedAway(home: TestHome, code: string, from = 0): Promise<Recorded> {
  return home.entry(({ seq, is }) => seq >= from && is['code'] === code);
}

/** Everything that comes back for these bytes until the connection ends. */
async function heardFor(port: number, bytes: string | Uint8Array): Promise<Buffer> {
  const socket = await dial(port);
  const heard: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => heard.push(chunk));
  if (bytes.length > 0) socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(heard);
}

const strange: readonly (readonly [string, string | Uint8Array])[] = [
  ['SSH', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ['PostgreSQL', Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)],
  ['Redis', '*1\r\n$4\r\nPING\r\n'],
  ['a TLS alert first', Uint8Array.of(21, 3, 3, 0, 2, 2, 80)],
  ['a handshake that is none', Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0)],
  ['a word without end', 'A'.repeat(100)],
  ['half a request line', 'GET'],
  ['half a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\n'],
  ['a client that waits for a greeting', ''],
];

t.test('what is neither TLS nor HTTP is closed without a byte, and on record', async (t) => {
  for (const [name, bytes] of strange) {
    const from = hasty.home.entries().length;
    t.equal((await heardFor(portOf(hasty), bytes)).length, 0, name);
    const { is } = await turnedAway(hasty.home, 'connection_not_http', from);
    const call = { method: 'invalid' };
    t.match(is, { verdict: 'deny', grant: null, call, redirected: { original: 'unknown' } }, name);
  }
});

t.test('a head that does not come is waited for only so long', async (t) => {
  t.match((await heardFor(portOf(hasty), 'GET / HTTP/1.1\r\nHost:')).toString(), /^HTTP\/1\.1 408 /);
});

/** What a TLS client hears that trusts everybody. */
async function greet(port: number, options: ConnectionOptions): Promise<string> {
  const tls = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  const failed = new Promise<string>((resolve) => {
    tls.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  const said = await Promise.race([once(tls, 'secureConnect').then(() => 'secure'), failed]);
  tls.destroy();
  return said;
}

t.test('TLS that names no host gets an alert, and is on record', async (t) => {
  for (const servername of ['', 'not_a_host', 'dot.at.end.', '1.2.3.04']) {
    const from = on.home.entries().length;
    t.match(await greet(portOf(on), { servername }), /UNRECOGNIZED_NAME/, servername);
    const { is } = await turnedAway(on.home, 'connection_unnamed', from);
    t.strictSame(is['redirected'], { original: 'unknown' }, servername);
  }
});

t.test('a host whose TLS stays closed has nowhere to show its grant', async (t) => {
  t.match(await greet(portOf(on), { servername: 'pinned.test' }), /ACCESS_DENIED/);
  const { is } = await turnedAway(on.home, 'connection_ungranted');
  t.match(is, { verdict: 'deny', redirected: { name: 'pinned.test', original: 'unknown' } });
  t.equal(await greet(portOf(on), { servername: 'b.test' }), 'secure', 'another host is opened');
});

t.test(
  'refused connections are recorded up to a limit, then counted; what is no HTTP after all only counted',
  async (t) => {
    const settings = { denial: { recorded_burst: 3, recorded_per_second: 1 } };
    const on = await startTunnels(t, { settings });
    for (let i = 0; i < 8; i++) await heardFor(portOf(on), 'SSH-2.0-x\r\n');
    for (const bytes of ['GET \0\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'])
      t.match((await heardFor(portOf(on), bytes)).toString(), /^HTTP\/1\.1 400 /);
    await on.sidecar.stop();
    const entries = on.home.entries();
    const recorded = entries.filter(({ is }) => is['code'] === 'connection_not_http').length;
    const counts = entries.find(({ type }) => type === 'refusals')?.is['counts'];
    t.ok(recorded >= 3 && recorded < 8, `${recorded} recorded`);
    t.strictSame(counts, { connection_not_http: 8 - recorded, malformed_400: 2 });
  },
);

t.test('a connection that says nothing and leaves holds nothing, and is not on record', async (t) => {
  const on = await startTunnels(t, {});
  const before = on.home.entries().length;
  (await dial(portOf(on))).destroy();
  (await dial(portOf(on))).end();
  const waiting = await dial(portOf(on));
  const idle = await tlsInside(await dial(portOf(on)), on.ca, { servername: 'a.test' });
  const closed = [once(waiting, 'close'), once(idle, 'close')];
  await on.sidecar.stop(); // which waits for every connection
  await Promise.all(closed);
  t.equal(on.home.entries().length, before);
});
