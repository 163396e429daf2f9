/** A sidecar in this process whose home trusts the tests' upstreams, and an agent that opens tunnels by hand. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { makeLog } from '../../src/config/log.ts';
import { startSidecar } from '../../src/sidecar/start.ts';
import type { Sidecar } from '../../src/sidecar/sidecar.ts';
import { tlsAuthorityPaths } from '../../src/sidecar/tls-authority.ts';
import { makeHome } from './home.ts';
import type { HomePlan, Teardown, TestHome } from './home.ts';
import { rootFile } from './tls-origin.ts';
import { readReply } from './wire.ts';
import type { Reply } from './wire.ts';

/** A sidecar that opens tunnels. */
export interface Tunnels {
  readonly home: TestHome;
  readonly sidecar: Sidecar;
  /** Path of the authority that agents are to trust. */
  readonly ca: string;
  /** Of the forward proxy. */
  readonly port: number;
  /** What the process said, as JSON lines. */
  readonly said: readonly Readonly<Record<string, unknown>>[];
}

/** Starts one; it goes with the test. */
export async function startTunnels(t: Teardown, plan: HomePlan): Promise<Tunnels> {
  const allow = (plan.origins ?? []).map(({ port }) => `127.0.0.1:${port}`);
  const upstream = { allow, extra_roots: rootFile, ...plan.settings?.['upstream'] };
  const home = await makeHome(t, { ...plan, settings: { ...plan.settings, upstream } });
  const said: Record<string, unknown>[] = [];
  const log = makeLog('debug', {
    write: (line) => void said.push(JSON.parse(line) as Record<string, unknown>), // our own log's lines
  });
  const sidecar = await startSidecar({
    ...{ settings: home.settings(), log, version: '0.0.0', exposed: false },
    reread: () => ({ ok: true, settings: home.settings() }),
  });
  t.teardown(() => (sidecar.cut(), sidecar.stop()));
  const port = Number(new URL(sidecar.urls.forward ?? '').port);
  return { home, sidecar, ca: tlsAuthorityPaths(home.path).certificate, port, said };
}

/** A CONNECT that was answered. */
export interface Opened {
  readonly socket: Socket;
  readonly reply: Reply;
}

/** Sends a CONNECT, with bytes right behind it where given. */
export async function openTunnel(
  port: number,
  authority: string,
  { grant, early = '' }: { readonly grant?: string; readonly early?: string | Uint8Array } = {},
): Promise<Opened> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const lines = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(grant ? [`Writ-Grant: ${grant}`] : []),
  ];
  socket.write(Buffer.concat([Buffer.from([...lines, '', ''].join('\r\n')), Buffer.from(early)]));
  let heard = '';
  for (let reply: Reply | undefined; ;) {
    await once(socket, 'readable');
    const chunk: unknown = socket.read();
    if (chunk instanceof Buffer) heard += chunk.toString('latin1');
    reply = readReply(heard, false);
    const length = Number(reply?.headers['content-length'] ?? 0);
    if (reply && Buffer.byteLength(reply.body) >= length) return { socket, reply };
    if (socket.readableEnded || socket.destroyed) throw new Error(`no reply, but ${JSON.stringify(heard)}`);
  }
}

/** TLS inside a tunnel, verified against the sidecar's authority unless told otherwise. */
export async function tlsInside(socket: Socket, ca: string, options: ConnectionOptions): Promise<TLSSocket> {
  const tls = connectTls({ socket, ca: readFileSync(ca), ALPNProtocols: ['http/1.1'], ...options });
  await once(tls, 'secureConnect');
  tls.on('error', () => undefined);
  return tls;
}

/** Sends one request and reads its reply. */
export function askInside(tls: TLSSocket, head: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const settle = (): void => void tls.off('data', take).off('close', closed);
    const closed = (): void => (settle(), reject(new Error(`closed after ${JSON.stringify(heard)}`)));
    const take = (chunk: string): void => {
      heard += chunk;
      const reply = readReply(heard, false);
      if (!reply || !isWhole(reply)) return;
      settle();
      resolve(reply);
    };
    tls.setEncoding('latin1').on('data', take).on('close', closed).write(head);
  });
}

function isWhole({ headers, body }: Reply): boolean {
  const length = headers['content-length'];
  return length === undefined ? body.endsWith('0\r\n\r\n') : Buffer.byteLength(body) >= Number(length);
}
