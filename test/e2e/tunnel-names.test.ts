/** The host of a CONNECT, the name in the ClientHello and the TLS that answers are one and the same. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import t from 'tap';
import { startOrigin } from './origin.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { askInside, openTunnel, startTunnels, tlsInside } from './tunnels.ts';

/** What a TLS client that trusts everybody hears: `secure`, or the code of its error. */
async function greet(socket: Parameters<typeof tlsInside>[0], options: ConnectionOptions): Promise<string> {
  const tls = connectTls({ socket, rejectUnauthorized: false, ...options });
  const failed = new Promise<string>((resolve) => {
    tls.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  const said = await Promise.race([once(tls, 'secureConnect').then(() => 'secure'), failed]);
  tls.destroy();
  return said;
}

const rows: readonly (readonly [name: string, host: string, options: ConnectionOptions])[] = [
  ['another name', 'localhost', { servername: 'b.test' }],
  ['the name of a host above it', 'localhost', { servername: 'host' }],
  ['no name for a name', 'localhost', {}],
  ['a name for an address', '127.0.0.1', { servername: 'localhost' }],
];

t.test('a ClientHello that names another host is refused with an alert, and on record', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, port } = await startTunnels(t, { origins: [origin] });
  const locations = ['localhost', '127.0.0.1'].map((host) => `https://${host}:${origin.port}`);
  const grant = home.grant({ entry: { locations } });
  for (const [name, host, options] of rows) {
    const from = home.entries().length;
    const { socket } = await openTunnel(port, `${host}:${origin.port}`, { grant });
    t.match(await greet(socket, options), /UNRECOGNIZED_NAME/, name);
    const { is } = await home.entry(({ seq, is }) => seq >= from && is['code'] === 'tunnel_name_mismatch');
    t.match(is, { verdict: 'deny', grant: { sub: 'agent:test' } }, name);
  }
  t.strictSame(origin.names, [], 'nothing was dialled');
});

t.test('a name is the same in any case', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, ca, port } = await startTunnels(t, { origins: [origin] });
  const { socket } = await openTunnel(port, `LocalHost:${origin.port}`, { grant: home.grant() });
  const tls = await tlsInside(socket, ca, { servername: 'LOCALHOST' });
  const head = `GET / HTTP/1.1\r\nHost: lOCALHOST:${origin.port}\r\n\r\n`;
  t.match(await askInside(tls, head), { status: 200 });
});

t.test('an address is opened without a name', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, ca, port } = await startTunnels(t, { origins: [origin] });
  const authority = `127.0.0.1:${origin.port}`;
  const grant = home.grant({ entry: { locations: [`https://${authority}`] } });
  const { socket } = await openTunnel(port, authority, { grant });
  const tls = await tlsInside(socket, ca, { host: '127.0.0.1', servername: '' });
  t.equal(tls.getPeerCertificate().subjectaltname, 'IP Address:127.0.0.1');
  t.match(await askInside(tls, `GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`), { status: 200 });
});

t.test('a ClientHello in crumbs is put together', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, ca, port } = await startTunnels(t, { origins: [origin] });
  const authority = `localhost:${origin.port}`;
  const { socket } = await openTunnel(port, authority, { grant: home.grant() });
  const write = socket.write.bind(socket);
  socket.setNoDelay(true);
  // each byte in a segment of its own, as far as the kernel lets it
  const crumble = (bytes: Uint8Array): void => bytes.forEach((byte) => void write(Uint8Array.of(byte)));
  const pair = new Duplex({
    read: () => undefined,
    write: (chunk: Uint8Array, _encoding, done) => (crumble(chunk), done()),
  });
  socket.on('data', (chunk: Buffer) => pair.push(chunk));
  const tls = connectTls({
    socket: pair,
    ca: readFileSync(ca),
    servername: 'localhost',
  });
  await once(tls, 'secureConnect');
  t.equal(tls.authorized, true);
  tls.destroy();
});

t.test('a session of one host is no session at another, nor at its own', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, port } = await startTunnels(t, { origins: [origin] });
  const hosts = ['a.test', 'b.test'];
  const grant = home.grant({ entry: { locations: hosts.map((host) => `https://${host}:${origin.port}`) } });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const meet = async (host: string, session?: Buffer) => {
      const { socket } = await openTunnel(port, `${host}:${origin.port}`, { grant });
      const tls = connectTls({ socket, servername: host, maxVersion, rejectUnauthorized: false, ...(session && { session }) });
      let latest: Buffer | undefined;
      tls.on('session', (given: Buffer) => (latest = given)).on('error', () => undefined);
      await once(tls, 'secureConnect');
      tls.write('GET / HTTP/1.1\r\n\r\n'); // TLS 1.3 tells of sessions after the handshake, with the first answer
      await once(tls, 'data');
      const names = tls.getPeerCertificate().subjectaltname;
      const found = { reused: tls.isSessionReused(), names, session: latest ?? tls.getSession() };
      tls.destroy();
      return found;
    };
    const first = await meet('a.test');
    t.match(first, { reused: false, names: 'DNS:a.test' }, maxVersion);
    t.match(await meet('b.test', first.session), { reused: false, names: 'DNS:b.test' }, maxVersion);
    t.match(await meet('a.test', first.session), { reused: false, names: 'DNS:a.test' }, maxVersion);
  }
}); // prettier-ignore

t.test('TLS before 1.2 is not spoken with agents, and no handshake is done again', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, ca, port } = await startTunnels(t, { origins: [origin] });
  const grant = home.grant();
  const open = async (options: ConnectionOptions): Promise<TLSSocket> => {
    const { socket } = await openTunnel(port, `localhost:${origin.port}`, { grant });
    return tlsInside(socket, ca, { servername: 'localhost', ...options });
  };
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await t.rejects(open(old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  const tls = await open({ maxVersion: 'TLSv1.2' });
  const refused = await new Promise<Error | null>((resolve) => {
    tls.once('error', resolve).renegotiate({}, resolve);
  });
  t.match(refused, { code: 'ERR_SSL_NO_RENEGOTIATION' });
  tls.destroy();
});

t.test('HTTP in the clear is taken where a setting allows it, for its own origin', async (t) => {
  const origin = await startOrigin(t);
  const { home, port } = await startTunnels(t, { origins: [origin], settings: { tls: { plain_in_tunnel: true } } });
  const authority = `127.0.0.1:${origin.port}`;
  const head = `GET /x HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`;
  const talk = async (location: string): Promise<string> => {
    const grant = home.grant({ entry: { locations: [location] } });
    const { socket } = await openTunnel(port, authority, { grant });
    let heard = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (heard += chunk)).write(head);
    await once(socket, 'close');
    return heard;
  };
  t.match(await talk(`http://${authority}`), /^HTTP\/1\.1 200 .*"path":"\/x"/s);
  t.match(await talk(`https://${authority}`), /^HTTP\/1\.1 403 .*scope_location/s);
  t.equal(origin.seen.length, 1);
}); // prettier-ignore

t.test(
  'an agent that says nothing, half a hello, or leaves is not on record, and holds nothing',
  async (t) => {
    const origin = await startTlsOrigin(t);
    const settings = { limits: { header_timeout_ms: 200 } };
    const { home, sidecar, port } = await startTunnels(t, { origins: [origin], settings });
    const grant = home.grant();
    const half = Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1);
    for (const early of ['', half]) {
      const { socket } = await openTunnel(port, `localhost:${origin.port}`, { grant, early });
      await once(socket.resume(), 'close');
    }
    const { socket } = await openTunnel(port, `localhost:${origin.port}`, { grant, early: half });
    socket.destroy();
    await sidecar.stop(); // which waits for every connection
    t.strictSame(
      home.entries().filter(({ type, is }) => type === 'decision' && is['verdict'] === 'deny'),
      [],
    );
  },
);
