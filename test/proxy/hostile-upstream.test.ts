/** Upstreams that misbehave: what the agent gets, what goes on record, and that nothing leaks into the next call. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import t from 'tap';
import { tlsIdentities } from '../../src/proxy/upstream/tls-identity.ts';
import { exchangeRaw, lastEnded, RawAgent, startRaw, startSidecar } from './small-gate.ts';
import type { Sidecar, Teardown } from './small-gate.ts';

const pem = (name: string): string =>
  readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8');

const get = (port: number, path = '/'): string =>
  `GET http://127.0.0.1:${port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;

const say =
  (...texts: readonly string[]) =>
  (socket: Socket): void => {
    socket.once('data', () => texts.forEach((text) => socket.write(text, 'latin1')));
  };

const sayAndEnd =
  (text: string) =>
  (socket: Socket): void => {
    socket.once('data', () => socket.end(text, 'latin1'));
  };

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const FILLER = 'x'.repeat(100);

/** Before the response's head: name, what the upstream does, status for the agent, problem. */
const beforeHead: readonly [string, (socket: Socket) => void, number, string][] = [
  ['closes without a word', (socket) => socket.once('data', () => socket.end()), 502, 'connection_lost'],
  ['resets', (socket) => socket.once('data', () => socket.resetAndDestroy()), 502, 'connection_lost'],
  ['breaks off in the head', sayAndEnd('HTTP/1.1 200 OK\r\nx-half: '), 502, 'connection_lost'],
  ['does not speak HTTP', say('SSH-2.0-OpenSSH_9\r\n'), 502, 'response_malformed'],
  ['says 100', say('HTTP/1.1 100 Continue\r\n\r\n', OK), 502, 'response_malformed'],
  ['says 101 unasked', say('HTTP/1.1 101 Switching Protocols\r\n\r\n', OK), 502, 'response_malformed'],
  [
    'upgrades unasked',
    say('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello'),
    502,
    'response_malformed',
  ],
  ['floods with 1xx', say('HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000), OK), 502, 'response_malformed'],
  [
    'sends a head of 20 KiB',
    say(`HTTP/1.1 200 OK\r\nx: ${FILLER.repeat(200)}\r\n\r\n`),
    502,
    'response_malformed',
  ],
  ['sends 101 headers', say(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(101)}\r\n`), 502, 'response_malformed'],
  [
    'frames twice',
    say('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok'),
    502,
    'response_malformed',
  ],
  [
    'counts twice',
    say('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'),
    502,
    'response_malformed',
  ],
  ['counts with a sign', say('HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok'), 502, 'response_malformed'],
  [
    'compresses its framing',
    say('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'),
    502,
    'response_malformed',
  ],
  [
    'puts NUL into a header',
    say('HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n'),
    502,
    'response_malformed',
  ],
  [
    'folds a header',
    say('HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n'),
    502,
    'response_malformed',
  ],
  ['says status 099', say('HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n'), 502, 'response_malformed'],
  ['says status 600', say('HTTP/1.1 600 Odd\r\ncontent-length: 0\r\n\r\n'), 502, 'response_malformed'],
  ['says status 999', say('HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n'), 502, 'response_malformed'],
];

t.test('a failure before the head is 502 with a problem, and on record', async (t) => {
  for (const [name, talk, status, failure] of beforeHead) {
    const { port } = await startRaw(t, talk);
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
    const heard = await exchangeRaw(sidecar.port, get(port));
    t.match(heard, new RegExp(`^HTTP/1.1 ${status} `), name);
    t.match(heard, `"type":"urn:writ:upstream:${failure}"`, name);
    t.match(heard, `writ-decision: permit; id="${sidecar.calls[0]?.id}"; entry=7`, name);
    t.notMatch(heard, 'connection: keep-alive', name);
    await sidecar.finished(1);
    t.match(
      lastEnded(sidecar),
      { ended: 'upstream-error', answered: true, dialled: `127.0.0.1:${port}` },
      name,
    );
    t.equal(sidecar.upstream.idle, 0, name);
  }
});

/** After the head: the agent can tell that something is missing. */
const afterHead: readonly [string, (socket: Socket) => void, number][] = [
  ['half a counted body', sayAndEnd('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), 4],
  [
    'a chunked body without its end',
    sayAndEnd('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
    4,
  ],
  ['a bad chunk', say('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'), 4],
];

t.test('a failure after the head leaves the body recognisably short', async (t) => {
  for (const [name, talk, bytes] of afterHead) {
    const { port } = await startRaw(t, talk);
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
    const heard = await exchangeRaw(sidecar.port, get(port));
    t.match(heard, /^HTTP\/1.1 200 /, name);
    t.notMatch(heard, '\r\n0\r\n\r\n', name);
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'upstream-error', answered: true, status: 200 }, name);
    t.ok(lastEnded(sidecar).response.bytes <= bytes, name);
  }
});

t.test('a body that only the connection ends is passed on whole', async (t) => {
  const { port } = await startRaw(t, sayAndEnd('HTTP/1.1 200 OK\r\n\r\nuntil the end'));
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  t.match(await exchangeRaw(sidecar.port, get(port)), '\r\nd\r\nuntil the end\r\n0\r\n\r\n');
  await sidecar.finished(1);
  t.equal(lastEnded(sidecar).ended, 'complete');
});

interface Before {
  readonly sockets: ReadonlySet<Socket>;
  readonly sidecar: Sidecar;
  /** What an agent sends. */
  readonly request: string;
}

async function inTheClear(t: Teardown, talk: (socket: Socket) => void): Promise<Before> {
  const { port, sockets } = await startRaw(t, talk);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  return { sockets, sidecar, request: get(port) };
}

async function overTls(t: Teardown, talk: (socket: Socket) => void): Promise<Before> {
  const files = { key: pem('leaf.key'), cert: pem('localhost') };
  const { port, sockets } = await startRaw(t, (tcp) => {
    const tls = new TLSSocket(tcp, { isServer: true, ...files });
    talk(tls.on('error', () => tcp.destroy()));
  });
  const identity = tlsIdentities({ roots: [pem('root')] });
  const routes = [{ upstream: `https://localhost:${port}` }];
  const sidecar = await startSidecar(t, { carrier: 'reverse', routes, settings: { identity } });
  return { sockets, sidecar, request: 'GET / HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n' };
}

t.test('surplus bytes after a response never become the answer of the next call', async (t) => {
  const poison = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison';
  const surplus: readonly [string, (socket: Socket) => void][] = [
    ['in the same piece', (socket) => socket.on('data', () => socket.write(OK + poison))],
    [
      'in a piece of its own',
      (socket) => socket.on('data', () => socket.write(OK, () => socket.write(poison))),
    ],
    [
      'after a pause',
      (socket) => socket.on('data', () => socket.write(OK, () => setImmediate(() => socket.write(poison)))),
    ],
    ['as stray bytes', (socket) => socket.on('data', () => socket.write(`${OK}HTT`))],
    [
      'as a body that a 204 must not have',
      (socket) =>
        socket.on('data', () =>
          socket.write(`HTTP/1.1 204 No Content\r\ncontent-length: 50\r\n\r\n${poison}`),
        ),
    ],
    [
      'as a body that a 304 must not have',
      (socket) =>
        socket.on('data', () =>
          socket.write(`HTTP/1.1 304 Not Modified\r\ncontent-length: 50\r\n\r\n${poison}`),
        ),
    ],
  ];
  for (const [name, talk] of surplus) {
    for (const start of [inTheClear, overTls]) {
      const { sockets, sidecar, request } = await start(t, talk);
      for (let i = 0; i < 20; i++) {
        const heard = await exchangeRaw(sidecar.port, request);
        t.notMatch(heard, 'poison', `${name}, ${start.name}`);
        const open = [...sockets].filter((socket) => !socket.closed);
        await Promise.all(open.map((socket) => once(socket, 'close')));
      }
      t.equal(new Set(sidecar.ended.map(({ ended }) => ended)).size, 1, name);
    }
  }
});

t.test('a HEAD reply with a body does not poison the connection', async (t) => {
  const { port } = await startRaw(t, (socket) => socket.on('data', () => socket.write(OK)));
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const head = await exchangeRaw(sidecar.port, get(port).replace('GET', 'HEAD'));
  t.match(head, /^HTTP\/1.1 200 .*content-length: 2/s);
  t.match(head, /\r\n\r\n$/);
  t.match(await exchangeRaw(sidecar.port, get(port)), /\r\n\r\nok$/);
});

t.test('204 and 304 have no body, and 304 keeps its content-length', async (t) => {
  const { port } = await startRaw(t, (socket) =>
    socket.on('data', (data: Buffer) =>
      socket.write(
        data.includes('/304')
          ? 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n'
          : 'HTTP/1.1 204 No Content\r\n\r\n',
      ),
    ),
  );
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const notModified = await exchangeRaw(sidecar.port, get(port, '/304'));
  t.match(notModified, /^HTTP\/1.1 304 .*content-length: 5\r\n.*\r\n\r\n$/s);
  const noContent = await exchangeRaw(sidecar.port, get(port, '/204'));
  t.match(noContent, /^HTTP\/1.1 204 .*\r\n\r\n$/s);
  t.notMatch(noContent, /content-length|transfer-encoding/i);
});

t.test('103 is relayed with its links only', async (t) => {
  const hints =
    'HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nx-secret: 1\r\nwrit-decision: deny\r\n\r\n';
  const { port } = await startRaw(t, say(hints, OK));
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const heard = await exchangeRaw(sidecar.port, get(port));
  t.match(heard, /^HTTP\/1.1 103 Early Hints\r\nLink: <\/a.css>; rel=preload\r\n\r\nHTTP\/1.1 200 /i);
  t.notMatch(heard, /x-secret|deny/);
});

t.test('a redirect is passed on and never followed, wherever it leads', async (t) => {
  let elsewhere = 0;
  const other = await startRaw(t, (socket) => {
    elsewhere += 1;
    socket.end(OK);
  });
  for (const status of [301, 302, 303, 307, 308]) {
    let here = 0;
    const location = `http://127.0.0.1:${other.port}/elsewhere`;
    const reply = `HTTP/1.1 ${status} Moved\r\nlocation: ${location}\r\nrefresh: 0; url=${location}\r\ncontent-length: 0\r\n\r\n`;
    const { port } = await startRaw(t, (socket) => {
      here += 1;
      say(reply)(socket);
    });
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`, `127.0.0.1:${other.port}`] });
    const heard = await exchangeRaw(sidecar.port, get(port));
    t.match(heard, `HTTP/1.1 ${status} `);
    t.match(heard, `location: ${location}\r\n`);
    t.match(lastEnded(sidecar), { ended: 'complete', status });
    t.equal(here, 1, `${status}`);
  }
  t.equal(elsewhere, 0);
});

t.test('a link that would keep node:http busy for ever is no hint', async (t) => {
  const links = [
    `</b>${'; a=b'.repeat(3000)}"`,
    `</c>${';a=b=c'.repeat(2000)}`,
    '</a.css>; rel="preload"; as=style',
  ];
  const hints = `HTTP/1.1 103 Early Hints\r\nlink: `;
  const { port } = await startRaw(t, say(...links.map((link) => `${hints}${link}\r\n\r\n`), OK));
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const heard = await exchangeRaw(sidecar.port, get(port));
  t.match(
    heard,
    /^HTTP\/1.1 103 Early Hints\r\nLink: <\/a.css>; rel="preload"; as=style\r\n\r\nHTTP\/1.1 200 /i,
  );
});

t.test('headers that only the sidecar may send are dropped, repeated ones kept', async (t) => {
  const head = [
    'HTTP/1.1 200 Whatever it says',
    'content-length: 2',
    'set-cookie: a=1',
    'set-cookie: b=2',
    'writ-decision: deny; code=grant_expired',
    'proxy-status: writ; error=x',
    'alt-svc: h3=":443"',
    'keep-alive: timeout=99',
    'connection: x-listed',
    'x-listed: 1',
    'x-latin: caf\xe9',
  ].join('\r\n');
  const { port } = await startRaw(t, say(`${head}\r\n\r\nok`));
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const heard = await exchangeRaw(sidecar.port, get(port));
  t.match(heard, 'set-cookie: a=1\r\nset-cookie: b=2\r\n');
  t.match(heard, 'x-latin: caf\xe9\r\n');
  t.notMatch(heard, /deny|error=x|alt-svc|timeout=99|x-listed|Whatever/);
});

t.test('a response that comes before the request is read ends that upstream connection', async (t) => {
  const { port, sockets } = await startRaw(t, say(OK));
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(
    `POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 100\r\n\r\nfirst part`,
  );
  await agent.hears('\r\n\r\nok');
  await sidecar.finished(1);
  await Promise.all([...sockets].map((socket) => once(socket, 'close')));
  t.equal(sidecar.upstream.idle, 0);
  agent.socket.write('x'.repeat(90) + get(port));
  await agent.closed();
  t.equal(agent.heard.split('HTTP/1.1').length, 2, 'nothing further on this connection is answered');
  t.equal(sidecar.calls.length, 1, 'nor decided');
});

t.test('a silent upstream is 504 in time', async (t) => {
  const { port } = await startRaw(t, () => undefined);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], settings: { headMs: 100 } });
  t.match(await exchangeRaw(sidecar.port, get(port)), /^HTTP\/1.1 504 .*urn:writ:upstream:head_timeout/s);
});

t.test('silence within a body ends it where a limit is set', async (t) => {
  const { port } = await startRaw(t, say('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'));
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], settings: { bodyIdleMs: 100 } });
  t.match(await exchangeRaw(sidecar.port, get(port)), /half$/);
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'upstream-error', status: 200 });
});

t.test('a port where nobody listens is 502', async (t) => {
  const { port } = await startRaw(t, () => undefined);
  const sidecar = await startSidecar(t, { allow: ['127.0.0.1:1'] });
  t.ok(port);
  t.match(await exchangeRaw(sidecar.port, get(1)), /^HTTP\/1.1 502 .*urn:writ:upstream:connect_failed/s);
  await sidecar.finished(1);
  t.notOk('dialled' in lastEnded(sidecar));
  t.equal(lastEnded(sidecar).answered, true);
});
