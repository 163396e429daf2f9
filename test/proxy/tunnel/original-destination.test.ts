import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import t from 'tap';
import { endText, OriginalDestinations } from '../../../src/proxy/tunnel/original-destination.ts';

const UNREPLIED = 'ipv4     2 tcp      6 119 SYN_SENT src=10.0.0.9 dst=10.0.0.8 sport=5 dport=6 [UNREPLIED]';

/** A row as Linux writes it. */
function row(there: string, back: string, family = 'ipv4     2'): string {
  return `${family} tcp      6 431999 ESTABLISHED ${there} ${back} [ASSURED] mark=0 zone=0 use=2`;
}

/** Both ends of a connection, as a socket shows them. */
function ends(localAddress: string, localPort: number, remoteAddress: string, remotePort: number): Socket {
  return { localAddress, localPort, remoteAddress, remotePort } as Socket; // all that is looked at
}

const agent = 'src=10.0.0.2 dst=93.184.216.34 sport=40000 dport=443';
const answer = 'src=127.0.0.1 dst=10.0.0.2 sport=15001 dport=40000';
const wide =
  'src=2001:0db8:0000:0000:0000:0000:0000:0002 dst=2606:2800:0000:0000:0000:0000:0000:0001 sport=7 dport=80';
const wideAnswer =
  'src=0000:0000:0000:0000:0000:0000:0000:0001 dst=2001:0db8:0000:0000:0000:0000:0000:0002 sport=15001 dport=7';

const redirected = ends('127.0.0.1', 15001, '10.0.0.2', 40000);
const rows: readonly (readonly [name: string, table: readonly string[], socket: Socket, found: string])[] = [
  ['a redirected connection', [UNREPLIED, row(agent, answer)], redirected, '93.184.216.34:443'],
  ['IPv6', [row(wide, wideAnswer, 'ipv6     10')], ends('::1', 15001, '2001:db8::2', 7), '[2606:2800::1]:80'],
  [
    'IPv4 on a socket of both families',
    [row(agent, answer)],
    ends('::ffff:127.0.0.1', 15001, '::ffff:10.0.0.2', 40000),
    '93.184.216.34:443',
  ],
  ['delivered to its own destination', [], ends('93.184.216.34', 443, '10.0.0.2', 40000), '93.184.216.34:443'],
  ['no table', [''], redirected, 'unknown'],
  ['no row', [UNREPLIED, row(agent.replace('40000', '40001'), answer)], redirected, 'unknown'],
  ['the same port of another agent', [row(agent.replace('10.0.0.2', '10.0.0.3'), answer)], redirected, 'unknown'],
  ['answered by another port', [row(agent, answer.replace('15001', '15002'))], redirected, 'unknown'],
  ['UDP', [row(agent, answer).replace(' tcp ', ' udp ')], redirected, 'unknown'],
  [
    'a connection that was made here',
    [row('src=10.0.0.2 dst=127.0.0.1 sport=40000 dport=15001', answer)],
    redirected,
    'unknown',
  ],
  ['addresses that are none', [row(agent.replace('93.184.216.34', 'x'), answer)], redirected, 'unknown'],
]; // prettier-ignore

t.test('a connection’s destination is found in the kernel’s table', async (t) => {
  for (const [name, table, socket, found] of rows) {
    const originals = new OriginalDestinations(() => Promise.resolve(`${table.join('\n')}\n`));
    t.equal(endText(await originals.of(socket, 15001)), found, name);
  }
});

t.test('those who ask while it is read share the next reading', async (t) => {
  const readings: (() => void)[] = [];
  const originals = new OriginalDestinations(
    () => new Promise((resolve) => readings.push(() => resolve(row(agent, answer)))),
  );
  const first = originals.of(redirected, 15001);
  await Promise.resolve().then();
  const others = [originals.of(redirected, 15001), originals.of(redirected, 15001)];
  t.equal(readings.length, 1);
  readings[0]?.();
  await first;
  await new Promise(setImmediate);
  t.equal(readings.length, 2);
  readings[1]?.();
  for (const end of await Promise.all(others)) t.equal(endText(end), '93.184.216.34:443');
  t.equal(readings.length, 2);
});

t.test('a connection that nobody redirected has none, whatever the system tells', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const client = connect(port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  t.equal(await new OriginalDestinations().of(socket, port), undefined);
  client.destroy();
  t.equal(
    await new OriginalDestinations().of(new Proxy(socket, { get: () => undefined }), port),
    undefined,
    'gone',
  );
  server.close();
});
