import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import t from 'tap';
import type { Test } from 'tap';
import { Hono } from 'hono';
import { Metrics } from '../../src/console/metrics.ts';
import { READY_PARTS, Readiness } from '../../src/console/readiness.ts';
import { startConsole } from '../../src/console/server.ts';
import type { ConsoleParts, ConsoleServer } from '../../src/console/server.ts';
import { toBase64 } from '../../src/crypto/base64.ts';
import { encodeUtf8 } from '../../src/crypto/bytes.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import type { LogLayout } from '../../src/lineage/layout.ts';
import { LineageUnavailable } from '../../src/lineage/lineage.ts';
import type { Lineage } from '../../src/lineage/lineage.ts';
import { ServedLog } from '../../src/lineage/tiles/served.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

const TOKEN = 'a'.repeat(43);
const STATEMENT = '{"predicate":{"why":"ä"}}';

/** A log of one entry: what the listener shows of it is the point here, how it is kept is test/lineage's business. */
function oneEntry(): Lineage & { broken: boolean } {
  const evidence = `{"payload":"${toBase64(encodeUtf8(STATEMENT))}","payloadType":"application/vnd.in-toto+json","signatures":[]}`;
  const condition = { state: 'writing', room: 'ample' } as const;
  const log = {
    broken: false,
    origin: 'localhost/writ/0123456789abcdef',
    append: () => Promise.reject(new LineageUnavailable('read only')),
    appendAll: () => Promise.reject(new LineageUnavailable('read only')),
    refuse: () => Promise.reject(new LineageUnavailable('read only')),
    checkpoint: () =>
      log.broken ? Promise.reject(new LineageUnavailable('gone')) : Promise.resolve('origin\n1\nroot\n'),
    proof: (seq: number) => Promise.resolve(seq === 0 ? 'c2sp.org/tlog-proof@v1\n' : undefined),
    receipt: (seq: number) => Promise.resolve(seq === 0 ? evidence : undefined),
    tile: () => Promise.resolve(undefined),
    condition,
    health: () => Promise.resolve({ ...condition, size: 1, waiting: 0, free: 5e9 }),
    onFailure: () => undefined,
    onChange: () => undefined,
    close: () => Promise.resolve(),
  };
  return log;
}

/** Where no segment is, so nothing was pruned either. */
function emptyLayout(test: Test): LogLayout {
  const layout = layoutOf(scratchFolder(test));
  mkdirSync(layout.segments, { recursive: true });
  return layout;
}

interface Setting {
  readonly server: ConsoleServer;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly lineage: Lineage & { broken: boolean };
  readonly faults: unknown[];
}

async function start(test: Test, over: Partial<ConsoleParts> = {}): Promise<Setting> {
  const readiness = new Readiness();
  const lineage = oneEntry();
  const metrics = new Metrics({
    hosts: new Set(['api.test']),
    readiness,
    lineage,
    version: '0',
    witnesses: () => undefined,
    timestamp: () => undefined,
    wall: () => 0,
  });
  const faults: unknown[] = [];
  const parts: ConsoleParts = {
    readiness,
    metrics,
    lineage,
    served: new ServedLog({ lineage, layout: emptyLayout(test), cosigned: () => undefined }),
    trustFile: () => JSON.stringify({ receiptKeys: [{ kty: 'OKP' }], tlogPolicy: 'log …' }),
    denial: (id, headers) => (id === 'x' && headers.get('writ-grant') === 'g' ? '{}' : undefined),
    certificateAuthority: 'PEM',
    status: () => ({ version: '0' }),
    reload: () => Promise.resolve({ ok: true }),
    token: () => TOKEN,
    hosts: ['writ.pod'],
    onFault: (fault) => void faults.push(fault),
    ...over,
  };
  const server = await startConsole(parts, { host: '127.0.0.1', port: 0 });
  test.teardown(() => server.close());
  return { server, readiness, metrics, lineage, faults };
}

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

function ask(
  { port }: ConsoleServer,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const request = http.request(
      { host: '127.0.0.1', port, path, method, headers, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const bearer = { authorization: `Bearer ${TOKEN}` };

t.test('it is alive at once and ready only when every part was verified good', async (t) => {
  const { server, readiness } = await start(t);
  t.equal((await ask(server, '/livez')).status, 200);
  for (const part of READY_PARTS) {
    t.equal((await ask(server, '/readyz')).status, 503, `before ${part}`);
    t.equal(readiness.trust().ok, false);
    readiness.good(part);
  }
  const ready = await ask(server, '/readyz');
  t.equal(ready.status, 200);
  t.equal(readiness.trust().ok, true);

  readiness.bad('policy', 'secret reason');
  const fallen = await ask(server, '/readyz');
  t.equal(fallen.status, 503);
  t.match(JSON.parse(fallen.text), { ready: false, parts: { policy: 'bad', log: 'good' } });
  t.notMatch(fallen.text, 'secret reason', 'reasons are for the operator');
  t.match((await ask(server, '/api/status', { headers: bearer })).text, 'secret reason');

  readiness.good('policy');
  readiness.stop();
  t.equal((await ask(server, '/readyz')).status, 503);
  t.match(readiness.trust(), { ok: false, code: 'stopping' });
  t.equal((await ask(server, '/livez')).status, 200);
});

/** A connection on which nobody reads. */
async function dumb(test: Test, { port }: ConsoleServer): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').pause();
  socket.on('error', () => undefined);
  test.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const LIVEZ = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';

t.test('connections that say nothing, or do not read, keep nobody out', async (t) => {
  const { server } = await start(t, { trustFile: () => ' '.repeat(20_000_000) });
  const silent = await Promise.all(Array.from({ length: 100 }, () => dumb(t, server)));
  t.equal((await ask(server, '/livez')).status, 200);
  for (const socket of silent) socket.destroy();
  for (let i = 0; i < 100; i++)
    (await dumb(t, server)).write(LIVEZ.replace('livez', '.well-known/writ/keys'));
  t.equal((await ask(server, '/livez')).status, 200);
});

t.test('one request at a time on a connection: what was sent before its answer closes it', async (t) => {
  const { server } = await start(t);
  const socket = await dumb(t, server);
  let heard = '';
  const answers = (): number => heard.match(/HTTP\/1.1 200/g)?.length ?? 0;
  socket.on('data', (bytes: Buffer) => (heard += bytes.toString())).resume();
  for (const count of [1, 2]) {
    socket.write(LIVEZ);
    while (answers() < count) await once(socket, 'data');
  }
  socket.write(LIVEZ.repeat(1000));
  await once(socket, 'close');
  t.ok(answers() <= 3);
});

t.test('metrics are made once for all who ask meanwhile', async (t) => {
  const { metrics, lineage } = await start(t);
  let asked = 0;
  const { health } = lineage;
  lineage.health = () => (asked++, health());
  const [first, second] = await Promise.all([metrics.text(), metrics.text()]);
  t.equal(first, second);
  t.equal(asked, 1);
  await metrics.text();
  t.equal(asked, 2, 'and anew after that');
});

t.test('keys, checkpoint and proofs are public', async (t) => {
  const { server } = await start(t);
  const keys = await ask(server, '/.well-known/writ/keys');
  t.strictSame(JSON.parse(keys.text), { receiptKeys: [{ kty: 'OKP' }], tlogPolicy: 'log …' });
  t.equal((await ask(server, '/.well-known/writ/checkpoint')).text, 'origin\n1\nroot\n');
  t.equal((await ask(server, '/.well-known/writ/proof/0')).text, 'c2sp.org/tlog-proof@v1\n');
  t.equal((await ask(server, '/.well-known/writ/proof/1')).status, 404);
});

t.test('what no verifier can ask for is not there, and no token would help', async (t) => {
  const { server } = await start(t);
  const paths = [
    ...['00', '-1', '+0', '0x0', '1e0', '0.0', '%20', 'x', '', '9007199254740993'].map(
      (seq) => `proof/${seq}`,
    ),
    ...['consistency/00/1', 'consistency/0/01', 'consistency/-1/1', 'consistency/0', 'nothing', ''],
  ].map((path) => `/.well-known/writ/${path}`);
  const tiles = [
    '0/00',
    '0/0000',
    '0/x000/000',
    '00/000',
    '-1/000',
    '0/-01',
    '64/000',
    '0/000.p/0',
    '0/000.p/256',
  ];
  tiles.push('0/000.p/01', '0/000.p/-1', '0/000.p/', '0/000/', '0', 'entries/00', 'entries/000.p/0');
  for (const path of [...paths, ...tiles.map((tile) => `/tile/${tile}`)]) {
    const problem = { status: 404, headers: { 'content-type': 'application/problem+json' } };
    t.match(await ask(server, path), problem, path);
  }
});

t.test('everything else needs the token, exactly', async (t) => {
  const { server } = await start(t, {
    authority: new Hono().post('/authority/grants', (c) => c.text('granted')),
  });
  const paths = ['/api/status', '/api/entries/0', '/api/receipt/0', '/tile/entries/000', '/', '/nothing'];
  const wrong = [
    '',
    'Bearer',
    `bearer ${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer  ${TOKEN}`,
    `Basic ${TOKEN}`,
    TOKEN,
  ];
  for (const path of paths) {
    t.match(
      await ask(server, path),
      { status: 401, headers: { 'content-type': 'application/problem+json' } },
      path,
    );
    for (const authorization of wrong) {
      t.equal(
        (await ask(server, path, { headers: { authorization } })).status,
        401,
        `${path} ${authorization}`,
      );
    }
  }
  for (const path of ['/api/reload', '/authority/grants']) {
    t.equal((await ask(server, path, { method: 'POST' })).status, 401, path);
    t.equal((await ask(server, path, { method: 'POST', headers: bearer })).status, 200, path);
  }
  t.equal((await ask(server, '/nothing', { headers: bearer })).status, 404);
});

t.test('without a readable token nobody is the operator', async (t) => {
  for (const token of [undefined, '']) {
    const { server } = await start(t, { token: () => token });
    for (const authorization of ['Bearer ', 'Bearer undefined', `Bearer ${TOKEN}`])
      t.equal((await ask(server, '/api/status', { headers: { authorization } })).status, 401);
  }
});

t.test('an entry is shown as its very bytes', async (t) => {
  const { server } = await start(t);
  t.equal((await ask(server, '/api/entries/0', { headers: bearer })).text, STATEMENT);
  t.equal((await ask(server, '/api/entries/1', { headers: bearer })).status, 404);
  const receipt: unknown = JSON.parse((await ask(server, '/api/receipt/0', { headers: bearer })).text);
  t.match(receipt, { receipt: { payloadType: 'application/vnd.in-toto+json' }, proof: /^c2sp/ });
});

t.test('a reload that is refused says why', async (t) => {
  const { server } = await start(t, {
    reload: () => Promise.resolve({ ok: false, faults: ['writ.yaml:3: no'] }),
  });
  const reply = await ask(server, '/api/reload', { method: 'POST', headers: bearer });
  t.equal(reply.status, 409);
  t.strictSame(JSON.parse(reply.text), { ok: false, faults: ['writ.yaml:3: no'] });
});

t.test('who does not name us, or comes from another page, is turned away before anything else', async (t) => {
  const { server } = await start(t);
  const rows: [string, Record<string, string>, number][] = [
    ['loopback', { host: '127.0.0.1:15020' }, 200],
    ['another loopback', { host: '127.9.9.9' }, 200],
    ['loopback, version 6', { host: '[::1]:15020' }, 200],
    ['localhost', { host: 'localhost:15020' }, 200],
    ['a configured name', { host: 'writ.pod' }, 200],
    ['a rebound name', { host: 'evil.example' }, 421],
    ['a name that begins like an address', { host: '127.0.0.1.evil.example' }, 421],
    ['a name that ends like us', { host: 'evil-localhost' }, 421],
    ['a subdomain of localhost', { host: 'x.localhost' }, 421],
    ['another address', { host: '10.0.0.1' }, 421],
    ['an address in another spelling', { host: '127.1' }, 421],
    ['two names', { host: '127.0.0.1,evil.example' }, 421],
    ['a name in capitals', { host: 'LOCALHOST' }, 421],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of the same site', { 'sec-fetch-site': 'same-site' }, 403],
    ['our own page', { 'sec-fetch-site': 'same-origin' }, 200],
    ['typed by hand', { 'sec-fetch-site': 'none' }, 200],
    ['another origin', { origin: 'http://evil.example' }, 403],
    ['no origin', { origin: 'null' }, 403],
  ];
  for (const [name, headers, status] of rows) {
    t.equal((await ask(server, '/livez', { headers })).status, status, name);
    t.equal((await ask(server, '/api/status', { headers: { ...bearer, ...headers } })).status, status, name);
  }
});

t.test('every reply, of every kind, carries the guarding headers and none for other origins', async (t) => {
  const { server } = await start(t, {
    status: () => {
      throw new Error('a fault');
    },
  });
  const replies = [
    await ask(server, '/livez'),
    await ask(server, '/nothing'),
    await ask(server, '/livez', { headers: { host: 'evil.example' } }),
    await ask(server, '/api/status', { headers: bearer }),
    await ask(server, '/livez', { method: 'OPTIONS', headers: { origin: 'http://evil.example' } }),
  ];
  for (const { headers } of replies) {
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': /default-src 'none'/,
    });
    t.equal(headers['access-control-allow-origin'], undefined);
  }
});

t.test('a log that is gone reads 503, a fault of ours 500, and neither says more', async (t) => {
  const { server, lineage, faults } = await start(t, {
    status: () => {
      throw new Error('inner secret');
    },
  });
  lineage.broken = true;
  t.equal((await ask(server, '/.well-known/writ/checkpoint')).status, 503);
  const reply = await ask(server, '/api/status', { headers: bearer });
  t.equal(reply.status, 500);
  t.notMatch(reply.text, 'inner secret');
  t.match(faults, [{ message: 'inner secret' }]);
});

t.test('a body over 64 KiB is not read', async (t) => {
  const { server } = await start(t, {
    authority: new Hono().post('/authority/grants', async (c) => c.text(await c.req.text())),
  });
  const post = { method: 'POST', headers: bearer };
  t.equal((await ask(server, '/authority/grants', { ...post, body: 'x'.repeat(65_536) })).status, 200);
  t.equal((await ask(server, '/authority/grants', { ...post, body: 'x'.repeat(65_537) })).status, 413);
});

t.test(
  'a POST without any body is heard, as curl sends it, and a body without its length is not',
  async (t) => {
    const { server } = await start(t);
    const rows = [
      ['', 200],
      ['Content-Length: 0\r\n', 200],
      ['Transfer-Encoding: chunked\r\n', 411],
    ] as const;
    for (const [header, status] of rows) {
      const socket = connect(server.port, '127.0.0.1');
      const head = `POST /api/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`;
      socket.end(`${head}Connection: close\r\n${header}\r\n${status === 411 ? '2\r\n{}\r\n0\r\n\r\n' : ''}`);
      const heard = await textOf(socket);
      t.match(heard, `HTTP/1.1 ${status} `, header);
    }
  },
);

t.test('a busy port is the caller’s to report', async (t) => {
  const { server } = await start(t);
  await t.rejects(
    start(t).then(() => startConsole({} as ConsoleParts, server)),
    { code: 'EADDRINUSE' },
  ); // never asked
});
