/**
 * `npm run bench`: what it costs to verify, decide, record and forward a call, against proxies that only forward, in one
 * run on this machine. Rounds take turns, medians are printed; every permit and denial is durable.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dial, load, overHttp1 } from './load.ts';
import type { Connection, Plan, Result } from './load.ts';
import { fail, median, print, say } from './print.ts';
import { residentMiB, start } from './process.ts';
import type { Started } from './process.ts';
import { IMAGE_FLAGS } from '../image-flags.ts';
import { signGrants } from './grants.ts';
import { benchTls } from './tls.ts';

const ROUNDS = Number(process.env['WRIT_BENCH_ROUNDS'] ?? 5);
const CALLS = Number(process.env['WRIT_BENCH_CALLS'] ?? 20_000);
const CONNECTIONS = 64;
const PACED = { rate: 500, calls: 2500, connections: 64 };
const STEADY_CALLS = 200_000;
const WARM_CALLS = 5000;

const home = mkdtempSync(join(tmpdir(), 'writ-bench-'));
const peer = (name: string): string => join(import.meta.dirname, 'peers', name);
const started: Started[] = [];
const begin = async (...args: readonly string[]): Promise<Started> => {
  const process_ = await start(args);
  started.push(process_);
  return process_;
};

try {
  await bench();
} finally {
  await Promise.all(started.map((process_) => process_.stop()));
  rmSync(home, { recursive: true, force: true });
}

async function bench(): Promise<void> {
  const origin = await begin(join(import.meta.dirname, 'origin.ts'));
  const undici = await begin(peer('undici.ts'));
  const httpProxy = await begin(peer('http-proxy.ts'));
  const writ = await begin(...IMAGE_FLAGS, join(import.meta.dirname, 'writ.js'), home, String(origin.port));
  const target = `http://127.0.0.1:${origin.port}`;
  say(`signing ${ROUNDS * CALLS} grants`);
  const [session = '', ...fresh] = signGrants(home, target, ROUNDS * CALLS + WARM_CALLS + 1);
  const http1 =
    ({ port }: Started) =>
    (): Promise<Connection> =>
      overHttp1(() => dial(port));
  let nextGrant = 0;
  const bare = `GET ${target}/a HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\nAccept: */*\r\n`;
  const request = (grant: string, method = 'GET'): Buffer =>
    Buffer.from(`${bare.replace('GET', method)}Writ-Grant: ${grant}\r\n\r\n`);
  const plain = Buffer.from(`${bare}\r\n`);
  const permit = request(session);
  const removal = request(session, 'DELETE');
  const rows: Row[] = [
    { name: '(a) bare undici proxy', open: http1(undici), request: () => plain, status: 200 },
    { name: '(b) http-proxy', open: http1(httpProxy), request: () => plain, status: 200 },
    { name: '(c) Writ, permit, one session grant', open: http1(writ), request: () => permit, status: 200 },
    {
      name: '(d) Writ, permit, a fresh grant a call',
      open: http1(writ),
      request: () => request(fresh[nextGrant++] ?? ''),
      status: 200,
    },
    { name: '(e) Writ, denied by policy', open: http1(writ), request: () => removal, status: 403 },
  ];
  const results = await throughput(rows);
  printThroughput(rows, results);
  await printPaced(rows);
  await printMemory(writ, rows[2] ?? fail('no row'));
  await benchTls({ begin, flags: IMAGE_FLAGS, rounds: ROUNDS, home: join(home, 'tls') });
}

interface Row extends Pick<Plan, 'open' | 'request' | 'status'> {
  readonly name: string;
}

async function throughput(rows: readonly Row[]): Promise<Map<Row, Result[]>> {
  const results = new Map<Row, Result[]>(rows.map((row) => [row, []]));
  for (const row of rows) await load({ ...row, calls: WARM_CALLS, connections: CONNECTIONS });
  for (let round = 1; round <= ROUNDS; round++) {
    say(`round ${round} of ${ROUNDS}`);
    for (const row of rows) {
      const result = await load({ ...row, calls: CALLS, connections: CONNECTIONS });
      if (result.wrong > 0) fail(`${row.name}: ${result.wrong} answers were not ${row.status}`);
      results.get(row)?.push(result);
    }
  }
  return results;
}

function printThroughput(rows: readonly Row[], results: ReadonlyMap<Row, readonly Result[]>): void {
  const of = (row: Row | undefined, pick: (result: Result) => number): number =>
    median((row && results.get(row))?.map(pick) ?? []);
  const base = of(rows[0], ({ perSecond }) => perSecond);
  print(['', 'calls/s', 'of (a)', 'p50 ms', 'p99 ms']);
  for (const row of rows) {
    const perSecond = of(row, (result) => result.perSecond);
    print([
      row.name,
      perSecond.toFixed(0),
      (perSecond / base).toFixed(2),
      of(row, ({ p50 }) => p50).toFixed(2),
      of(row, ({ p99 }) => p99).toFixed(2),
    ]);
  }
}

/** What Writ adds to a call when nobody is in a hurry. */
async function printPaced(rows: readonly Row[]): Promise<void> {
  process.stdout.write(`\nat ${PACED.rate} calls/s\n`);
  print(['', '', '', 'p50 ms', 'p99 ms']);
  for (const row of rows) {
    const rounds: Result[] = [];
    for (let round = 0; round < 3; round++) {
      if (row.name.startsWith('(d)')) continue; // its grants are spent on the rounds above
      rounds.push(await load({ ...row, ...PACED }));
    }
    if (rounds.length === 0) continue;
    print([
      row.name,
      '',
      '',
      median(rounds.map(({ p50 }) => p50)).toFixed(2),
      median(rounds.map(({ p99 }) => p99)).toFixed(2),
    ]);
  }
}

/** Whether memory stays flat. */
async function printMemory(writ: Started, row: Row): Promise<void> {
  const sizes = [residentMiB(writ.pid)];
  for (let part = 0; part < 4; part++) {
    await load({ ...row, calls: STEADY_CALLS / 4, connections: CONNECTIONS });
    sizes.push(residentMiB(writ.pid));
  }
  process.stdout.write(`\nWrit's resident memory over ${STEADY_CALLS} more calls: ${sizes.join(', ')} MiB\n`);
}
