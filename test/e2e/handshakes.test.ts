/** Tunnels whose TLS does not come: there are only so many at a time, each has its time, and neither is distrust. */
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { startTlsOrigin } from './tls-origin.ts';
import { askInside, openTunnel, startTunnels, tlsInside } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';

/** The first bytes of a ClientHello that never goes on. */
const HALF_A_HELLO = Buffer.from('160301020001', 'hex');

/** The hosts for which an agent was said not to take our certificate, or to fail in TLS. */
function distrusts({ said }: Tunnels): readonly unknown[] {
  return said
    .filter(({ msg }) => /trust this sidecar|TLS with an agent failed/.test(String(msg)))
    .map(({ host }) => host);
}

t.test('one more than limits.max_handshakes closes the one that has waited longest', async (t) => {
  const origin = await startTlsOrigin(t);
  const limits = { max_handshakes: 1, header_timeout_ms: 120_000 }; // no deadline will close it
  const on = await startTunnels(t, { origins: [origin], settings: { limits } });
  const authority = new URL(origin.url).host;
  const grant = on.home.grant();
  const { socket: slow } = await openTunnel(on.port, authority, { grant, early: HALF_A_HELLO });
  const closed = once(slow, 'close');
  const { socket } = await openTunnel(on.port, authority, { grant });
  await closed;
  const tls = await tlsInside(socket, on.ca, { servername: 'localhost' });
  t.match(await askInside(tls, `GET /a HTTP/1.1\r\nHost: ${authority}\r\n\r\n`), { status: 200 });
  t.strictSame(distrusts(on), []);
  tls.destroy();
});

t.test('a handshake that takes too long is ended, whether its hello was whole or not', async (t) => {
  const origin = await startTlsOrigin(t);
  const other = { port: origin.port, url: `https://127.0.0.1:${origin.port}` };
  const settings = { limits: { header_timeout_ms: 500 } };
  const on = await startTunnels(t, { origins: [origin, other], settings });
  const grant = on.home.grant();
  const authority = new URL(origin.url).host;
  for (const early of [HALF_A_HELLO, await helloFor('localhost')]) {
    const { socket } = await openTunnel(on.port, authority, { grant, early });
    socket.resume();
    await once(socket, 'close');
  }
  const { socket } = await openTunnel(on.port, new URL(other.url).host, { grant });
  await t.rejects(once(connectTls({ socket }), 'secureConnect'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  while (!distrusts(on).includes('127.0.0.1')) await new Promise(setImmediate);
  t.strictSame(distrusts(on), ['127.0.0.1'], 'only who does not know our authority');
});

/** What a client says first, of one that never says more. */
function helloFor(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const write = (bytes: Buffer): void => resolve(bytes);
    connectTls({ socket: new Duplex({ read: () => undefined, write }), servername }).on(
      'error',
      () => undefined,
    );
  });
}
