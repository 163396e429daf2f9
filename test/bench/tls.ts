/**
 * The second part of `npm run bench`: HTTPS through `CONNECT`. A plain tunnel passes ciphertext on; mitmproxy and Writ open
 * it, and Writ decides and records every call in it. Each over new connections and over reused ones.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { signGrants } from './grants.ts';
import { dial, load, overHttp1 } from './load.ts';
import type { Connection, Plan } from './load.ts';
import { fail, median, print, say } from './print.ts';
import type { Started } from './process.ts';

const CONNECTIONS = 32;
/** HTTP/2: so many streams share one connection. */
const STREAMS = 16;
const REUSED_CALLS = 4000;
const NEW_CALLS = 600;

/** What the first part lends. */
export interface TlsBench {
  readonly begin: (...args: readonly string[]) => Promise<Started>;
  /** Node's, for Writ. */
  readonly flags: readonly string[];
  readonly rounds: number;
  /** A folder for Writ's home, there as long as what was begun. */
  readonly home: string;
}

interface Row {
  readonly name: string;
  readonly port: number;
  /** The head lines of its `CONNECT` beyond `Host`. */
  readonly extra: string;
}

type Kind = 'h1 new' | 'h1 reused' | 'h2 new' | 'h2 reused';
const KINDS: readonly Kind[] = ['h1 new', 'h1 reused', 'h2 new', 'h2 reused'];

/** Runs and prints it. */
export async function benchTls({ begin, flags, rounds, home }: TlsBench): Promise<void> {
  const here = import.meta.dirname;
  const origin = await begin(join(here, 'origin-tls.ts'));
  const tunnel = await begin(join(here, 'peers/tunnel.ts'));
  const root = join(here, '../vectors/tls/root.pem');
  const writ = await begin(
    ...[...flags, join(here, 'writ.js'), home, `${origin.port}`, `upstream.extra_roots=${root}`],
  );
  const [grant = ''] = signGrants(home, `https://localhost:${origin.port}`, 1);
  const rows: Row[] = [
    { name: '(f) plain CONNECT tunnel', port: tunnel.port, extra: '' },
    { name: '(g) Writ, TLS opened, permit', port: writ.port, extra: `Writ-Grant: ${grant}\r\n` },
  ];
  if (spawnSync('mitmdump', ['--version']).status === 0) {
    const mitmproxy = await begin(join(here, 'peers/mitmproxy.ts'));
    rows.push({ name: '(h) mitmproxy', port: mitmproxy.port, extra: '' });
  } else say('mitmproxy is not installed: its row is left out');
  await printRows(rows, origin.port, rounds);
}

async function printRows(rows: readonly Row[], origin: number, rounds: number): Promise<void> {
  const figures = new Map(rows.map((row) => [row, new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]))]));
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? 'HTTPS: warming up' : `HTTPS: round ${round} of ${rounds}`);
    for (const [row, byKind] of figures)
      for (const kind of KINDS) {
        const { perSecond, wrong } = await load(planOf(row, kind, origin));
        if (wrong > 0) fail(`${row.name}, ${kind}: ${wrong} answers were not 200`);
        if (round > 0) byKind.get(kind)?.push(perSecond);
      }
  }
  process.stdout.write('\ncalls/s over HTTPS through CONNECT (of (f))\n');
  print(['', ...KINDS.flatMap((kind) => [kind, ''])]);
  const base = KINDS.map((kind) => median((rows[0] && figures.get(rows[0])?.get(kind)) ?? []));
  for (const [row, byKind] of figures)
    print([
      row.name,
      ...KINDS.flatMap((kind, i) => {
        const perSecond = median(byKind.get(kind) ?? []);
        return [perSecond.toFixed(0), (perSecond / (base[i] ?? NaN)).toFixed(2)];
      }),
    ]);
}

function planOf(row: Row, kind: Kind, origin: number): Plan {
  const authority = `localhost:${origin}`;
  const tls = (protocol: string): Promise<Socket> => openTls(row, authority, protocol);
  const head = `GET /a HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
  const sessions: Promise<ClientHttp2Session>[] = [];
  let opened = 0;
  const shared = (): Promise<ClientHttp2Session> =>
    (sessions[Math.floor(opened++ / STREAMS)] ??= openSession(tls, authority));
  const open: Record<Kind, () => Promise<Connection>> = {
    'h1 new': () => Promise.resolve(http1Once(() => tls('http/1.1'))),
    'h1 reused': () => overHttp1(() => tls('http/1.1')),
    'h2 new': () => Promise.resolve(http2Once(() => openSession(tls, authority))),
    'h2 reused': async () => overHttp2(await shared()),
  };
  const calls = kind.endsWith('new') ? NEW_CALLS : REUSED_CALLS;
  return { open: open[kind], connections: CONNECTIONS, calls, request: () => head, status: 200 };
}

/** CONNECT, then TLS inside. The certificate is not looked at: three issuers would be three different costs. */
async function openTls(row: Row, authority: string, protocol: string): Promise<Socket> {
  const socket = await dial(row.port);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${row.extra}\r\n`);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  if (!reply.toString('latin1').startsWith('HTTP/1.1 200')) fail(`CONNECT: ${reply.toString('latin1')}`);
  const tls = connectTls({
    ...{ socket, servername: 'localhost', ALPNProtocols: [protocol], rejectUnauthorized: false },
  });
  await once(tls, 'secureConnect');
  return tls;
}

async function openSession(
  tls: (protocol: string) => Promise<Socket>,
  authority: string,
): Promise<ClientHttp2Session> {
  const socket = await tls('h2');
  const session = connectHttp2(`https://${authority}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

/** Every request has a connection of its own. */
function http1Once(dialTls: () => Promise<Socket>): Connection {
  const exchange = async (request: Buffer | string): Promise<number> => {
    const connection = await overHttp1(dialTls);
    const status = await connection.exchange(request);
    connection.close();
    return status;
  };
  return { exchange, close: () => undefined };
}

function http2Once(openOne: () => Promise<ClientHttp2Session>): Connection {
  const exchange = async (): Promise<number> => {
    const session = await openOne();
    const status = await ask(session);
    session.destroy();
    return status;
  };
  return { exchange, close: () => undefined };
}

function overHttp2(session: ClientHttp2Session): Connection {
  return { exchange: () => ask(session), close: () => session.destroy() };
}

function ask(session: ClientHttp2Session): Promise<number> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/a' });
    let status = 0;
    stream.on('response', (head) => (status = Number(head[':status'])));
    stream.on('error', () => resolve(0));
    stream.on('close', () => resolve(status));
    stream.resume();
  });
}
