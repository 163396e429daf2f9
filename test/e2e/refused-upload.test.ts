/**
 * A denial while the agent still sends its body (threats.md §1): the whole of it is read by an agent that never stops to
 * send, no reset takes it away, and not much of what nobody wants is read.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { hear } from '../proxy/http2-client.ts';
import { assertDenied } from './denied.ts';
import { missing, run } from './program.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { openTunnel, startTunnels, tlsInside } from './tunnels.ts';
import { readReply } from './wire.ts';
import type { Reply } from './wire.ts';

const MIB = 1024 * 1024;
const PIECE = Buffer.alloc(65_536, 'w');
const CHUNK = Buffer.concat([Buffer.from('10000\r\n'), PIECE, Buffer.from('\r\n')]);
/** What is discarded and what the kernel holds on both ends; much less than what two seconds could carry. */
const MOST = 24 * MIB;
const LARGE = 48 * MIB;

const origin = await startTlsOrigin(t);
const plan = { origins: [origin], settings: { upstream: { allow: [`127.0.0.1:${origin.port}`] } } };
const tunnels = await startTunnels(t, plan);
const { home, port, ca } = tunnels;
const authority = `localhost:${origin.port}`;
const grant = home.grant({ entry: { locations: [origin.url, `http://${authority}`], paths: ['/allowed'] } });

async function tlsTo(protocol: string): ReturnType<typeof tlsInside> {
  const { socket } = await openTunnel(port, authority, { grant });
  return tlsInside(socket, ca, { servername: 'localhost', ALPNProtocols: [protocol] });
}

/** Sends a head and chunks without end, whatever comes back, until the connection is closed. */
async function sendOnAndOn(socket: Socket, head: string): Promise<{ reply: Reply; sent: number }> {
  let heard = '';
  const more = (): void => {
    while (!socket.destroyed && socket.write(CHUNK));
  };
  socket.setEncoding('latin1').on('data', (piece: string) => (heard += piece));
  socket.on('drain', more).on('error', () => undefined);
  socket.write(head);
  more();
  await new Promise((resolve) => socket.once('close', resolve)); // `once` would give up at the error before it
  const reply = readReply(heard, true);
  if (!reply) throw new Error(`no reply, but ${JSON.stringify(heard)}`);
  return { reply, sent: socket.bytesWritten - socket.writableLength };
}

const head = (target: string, ...lines: readonly string[]): string =>
  [`PUT ${target} HTTP/1.1`, `Host: ${authority}`, 'Transfer-Encoding: chunked', ...lines, '', ''].join(
    '\r\n',
  );

t.test('an agent on HTTP/1.1 that sends on and on reads the whole denial', async (t) => {
  const target = `http://${authority}/refused`;
  const ways: readonly (readonly [string, () => Promise<Socket>, string])[] = [
    ['in the clear', async () => connect(port, '127.0.0.1'), head(target, `Writ-Grant: ${grant}`)],
    ['in TLS', () => tlsTo('http/1.1'), head('/refused')],
  ];
  const all = ways.map(async ([name, open, request]) => ({
    name,
    ...(await sendOnAndOn(await open(), request)),
  }));
  for (const { name, reply, sent } of await Promise.all(all)) {
    assertDenied(t, home, { reply, code: 'scope_path' });
    t.equal(Buffer.byteLength(reply.body), Number(reply.headers['content-length']), name);
    t.equal(reply.headers['connection'], 'close', name);
    t.ok(sent <= MOST, `${name}: ${sent} bytes were taken`);
  }
});

t.test('an agent that reads only once all is sent meets no error on its way, in a mebibyte', async (t) => {
  const pieces = 14;
  const length = `Content-Length: ${(pieces + 1) * PIECE.length}`;
  const socket = connect(port, '127.0.0.1');
  const request = ['PUT', `http://${authority}/refused`, 'HTTP/1.1'].join(' ');
  socket.write([request, `Host: ${authority}`, `Writ-Grant: ${grant}`, length, '', ''].join('\r\n'));
  socket.write(PIECE);
  await once(socket, 'readable'); // the denial is there, and is not taken
  for (let i = 0; i < pieces; i++)
    await new Promise<void>((resolve, reject) => {
      socket.write(PIECE, (fault) => (fault ? reject(fault) : setImmediate(resolve)));
    });
  const reply = readReply((await buffer(socket)).toString('latin1'), true);
  if (!reply) throw new Error('no reply');
  assertDenied(t, home, { reply, code: 'scope_path' });
});

t.test('one on HTTP/2 reads it as well, and its connection goes on', async (t) => {
  const tls = await tlsTo('h2');
  const session = connectHttp2(origin.url, { createConnection: () => tls });
  t.teardown(() => session.destroy());
  const fields = [':method', 'PUT', ':scheme', 'https', ':authority', authority, ':path', '/refused'];
  const stream = session.request(fields);
  const more = (): void => {
    while (!stream.destroyed && stream.write(PIECE));
  };
  stream.on('drain', more);
  more();
  const { status, body, reset, headers } = await hear(stream);
  t.match({ status, reset }, { status: 403, reset: 0 });
  t.equal(JSON.parse(body).code, 'scope_path');
  t.equal(headers[headers.indexOf('content-length') + 1], `${body.length}`, 'whole'); // octets as latin1
  t.ok(tls.bytesWritten <= 2 * MIB, `${tls.bytesWritten} bytes were sent`);
  const next = await hear(session.request(fields.with(7, '/allowed').with(1, 'GET'), { endStream: true }));
  t.match(next, { status: 200, reset: 0 });
});

t.test('curl says what was refused, however it sends', { skip: missing('curl') }, async (t) => {
  const file = join(t.testdir({}), 'large');
  writeFileSync(file, Buffer.alloc(LARGE));
  const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--proxy-user', `grant:${grant}`, '--cacert', ca];
  const rows = [
    ['in the clear', '--http1.1', `http://${authority}/refused`],
    ['in TLS', '--http1.1', `${origin.url}/refused`],
    ['in HTTP/2', '--http2', `${origin.url}/refused`],
  ] as const;
  for (const [name, version, url] of rows) {
    const how = ['-sS', '-m', '20', version, ...proxy, '-w', '\n%{http_code}', '-T', file, url];
    const { stdout } = await run('curl', how);
    const [body = '', status] = stdout.split('\n');
    t.equal(status, '403', name);
    t.equal(JSON.parse(body).code, 'scope_path', name);
  }
});
