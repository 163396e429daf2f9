/** Calls that may pass, made by real clients against a real server, through both ports of a real sidecar. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import type { Test } from 'tap';
import { serve } from './child-sidecar.ts';
import type { ChildSidecar } from './child-sidecar.ts';
import { assertDenied } from './denied.ts';
import type { Recorded } from './home.ts';
import { echo, startOrigin } from './origin.ts';
import type { Origin } from './origin.ts';
import { missing, run } from './program.ts';
import { exchange, readReply } from './wire.ts';
import type { Reply } from './wire.ts';

const PIECES = ['one,', 'two,', 'three'];

function answer(request: IncomingMessage, response: ServerResponse): void {
  switch (new URL(request.url ?? '', 'http://o').pathname) {
    case '/nothing':
      return void response.writeHead(204, { 'x-origin': 'yes' }).end();
    case '/unchanged':
      return void response.writeHead(304, { etag: '"1"', 'content-length': '5' }).end();
    case '/pieces':
      for (const piece of PIECES) response.write(piece);
      return void response.end();
    case '/poser':
      response.setHeader('writ-decision', 'deny; id="x"; code=grant_missing');
      response.setHeader('proxy-status', 'writ; error=http_request_denied');
      return void response.writeHead(403).end('not ours');
    default:
      return echo(request, response);
  }
}

interface Stage {
  readonly origin: Origin;
  readonly sidecar: ChildSidecar;
  readonly grant: string;
}

async function stage(t: Test): Promise<Stage> {
  const origin = await startOrigin(t, answer);
  const sidecar = await serve(t, { origins: [origin] });
  return { origin, sidecar, grant: sidecar.home.grant() };
}

/** curl without regard to `no_proxy`; the answer as it stood on the wire. */
async function curl(args: readonly string[], input = ''): Promise<Reply> {
  const { stdout, stderr, exit } = await run('curl', ['-sSi', '--noproxy', '', '--raw', ...args], input);
  const reply = readReply(stdout, true);
  if (exit !== 0 || !reply) throw new Error(`curl ended with ${exit}: ${stderr}\n${stdout}`);
  return reply;
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');
const sha3 = (text: string): string => createHash('sha3-512').update(text, 'latin1').digest('hex');
const digests = (text: string): object => ({
  bytes: text.length,
  sha256: sha256(text),
  sha3_512: sha3(text),
});

/** Permit and outcome of the call that this reply says it is the answer to. */
async function onRecord({ home }: ChildSidecar, reply: Reply): Promise<readonly Recorded[]> {
  const [, id, entry] =
    /^permit; id="([^"]+)"; entry=(\d+)$/.exec(reply.headers['writ-decision'] ?? '') ?? [];
  const permit = home.entries(Number(entry)).filter((each) => each.id === id);
  return [...permit, await home.outcome(Number(entry))];
}

const BIG = 'x'.repeat(200_000);

t.test('curl', { skip: missing('curl') }, async (t) => {
  const { origin, sidecar, grant } = await stage(t);
  const forward = ['-x', `http://127.0.0.1:${sidecar.port('forward')}`, '-H', `Writ-Grant: ${grant}`];
  const reverse = ['-H', `Writ-Grant: ${grant}`];
  const api = `http://127.0.0.1:${sidecar.port('reverse')}/api`;

  // prettier-ignore
  const rows: [name: string, args: readonly string[], status: number, sent: string, body: string | null][] = [
    ['GET', ['/a?x=1'], 200, '', '{"method":"GET","path":"/a?x=1","length":0}'],
    ['HEAD', ['-I', '/a'], 200, '', ''],
    ['PUT without a body', ['-X', 'PUT', '-d', '', '/a'], 200, '', '{"method":"PUT","path":"/a","length":0}'],
    ['POST with a body', ['--data-binary', '@-', '/a'], 200, 'hello', '{"method":"POST","path":"/a","length":5}'],
    ['POST in chunks', ['--data-binary', '@-', '-H', 'Transfer-Encoding: chunked', '/a'], 200, BIG, null],
    ['POST that waits for 100', ['--data-binary', '@-', '-H', 'Expect: 100-continue', '/a'], 200, BIG, null],
    ['204', ['/nothing'], 204, '', ''],
    ['304', ['-H', 'If-None-Match: "1"', '/unchanged'], 304, '', ''],
    ['an answer in chunks', ['/pieces'], 200, '', null],
  ];
  for (const [name, args, status, sent, body] of rows) {
    for (const [port, base, common] of [
      ['forward', origin.url, forward],
      ['reverse', api, reverse],
    ] as const) {
      const reply = await curl(
        [...common, ...args.map((arg) => (arg.startsWith('/') ? base + arg : arg))],
        sent,
      );
      t.equal(reply.status, status, `${name}, ${port} port`);
      if (body !== null) t.equal(reply.body, body, `${name}, ${port} port: the body`);
      const [permit, outcome] = await onRecord(sidecar, reply);
      t.match(permit, { type: 'decision', is: { verdict: 'permit', call: { origin: origin.url } } });
      t.match(outcome?.is, {
        ended: 'complete',
        status,
        request: digests(sent),
        dialled: `127.0.0.1:${origin.port}`,
      });
    }
  }

  const pieces = await curl([...forward, `${origin.url}/pieces`]);
  t.equal(pieces.headers['transfer-encoding'], 'chunked');
  t.match(pieces.body, /^(?:[0-9a-f]+\r\n[a-z,]+\r\n)+0\r\n\r\n$/);
  t.match((await onRecord(sidecar, pieces))[1]?.is, { response: digests(PIECES.join('')) });

  const waited = await run('curl', [
    '-sv',
    '--noproxy',
    '',
    ...forward,
    '-H',
    'Expect: 100-continue',
    '-d',
    'x',
    `${origin.url}/a`,
  ]);
  t.match(waited.stderr, /< HTTP\/1\.1 100 Continue/, 'the sidecar asks for the body itself');

  const poser = await curl([...forward, `${origin.url}/poser`]);
  t.match(poser.headers['writ-decision'], /^permit; /, 'an origin cannot pose as the sidecar');
  t.notOk(poser.headers['proxy-status']);
  for (const { headers } of origin.seen) {
    const ours = Object.keys(headers).filter((name) =>
      /^(writ-|proxy-|x-forwarded|forwarded|expect)/.test(name),
    );
    t.strictSame(ours, [], 'nothing of ours reaches the origin');
    t.equal(headers.host, `127.0.0.1:${origin.port}`);
  }
  t.match(await sidecar.stop(), { code: 0 });
});

t.test('curl goes on on the same connection', { skip: missing('curl') }, async (t) => {
  const { origin, sidecar, grant } = await stage(t);
  const common = [
    '-s',
    '--noproxy',
    '',
    '-x',
    `http://127.0.0.1:${sidecar.port('forward')}`,
    '-H',
    `Writ-Grant: ${grant}`,
    '-w',
    '%{http_code} %{num_connects}\n',
    '-o',
    '/dev/null',
  ];
  const one = [...common, '-d', 'body', `${origin.url}/a`];
  const { stdout } = await run('curl', [...one, '--next', ...one, '--next', ...one]);
  t.equal(stdout, '200 1\n200 0\n200 0\n');
  t.equal(origin.seen.length, 3);
  t.equal(origin.sockets.size, 1, 'and so does the sidecar');
});

t.test('a grant in the proxy URL', { skip: missing('curl') }, async (t) => {
  const { origin, sidecar, grant } = await stage(t);
  const at = `127.0.0.1:${sidecar.port('forward')}`;
  t.match(await curl(['-x', `http://grant:${grant}@${at}`, `${origin.url}/a`]), { status: 200 });
  t.match(
    await curl([
      '-x',
      `http://${at}`,
      '--proxy-header',
      `Proxy-Authorization: Bearer ${grant}`,
      `${origin.url}/a`,
    ]),
    { status: 200 },
  );
  const other = await curl(['-x', `http://agent:${grant}@${at}`, `${origin.url}/a`]);
  assertDenied(t, sidecar.home, { reply: other, code: 'grant_malformed' });
});

t.test('clients that wait to be asked are asked', { skip: missing('curl') }, async (t) => {
  const origin = await startOrigin(t);
  const sidecar = await serve(t, { origins: [origin], settings: { proxy: { challenge: true } } });
  const proxy = ['-x', `http://127.0.0.1:${sidecar.port('forward')}`];
  const asked = await curl([...proxy, `${origin.url}/a`]);
  assertDenied(t, sidecar.home, { reply: asked, code: 'grant_missing', status: 407 });
  t.equal(asked.headers['proxy-authenticate'], 'Basic realm="writ"');
  t.equal(origin.bytes(), 0);
  const grant = sidecar.home.grant();
  const { stdout } = await run('curl', [
    '-s',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code} %{num_connects}',
    '--noproxy',
    '',
    ...proxy,
    '--proxy-anyauth',
    '--proxy-user',
    `grant:${grant}`,
    `${origin.url}/a`,
  ]);
  t.equal(stdout, '200 1', 'and go on on the same connection');
  t.equal(origin.seen.length, 1);

  for (const [port, host, path] of [
    ['reverse', 'writ.test', '/api/a'],
    ['transparent', new URL(origin.url).host, '/a'],
  ] as const) {
    const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    const reply = await exchange(sidecar.port(port), head);
    assertDenied(t, sidecar.home, { reply, code: 'grant_missing' });
    t.equal(reply.headers['proxy-authenticate'], undefined, `who calls the ${port} port knows of no proxy`);
  }
});

const PYTHON = `
import http.client, json, sys, urllib.request, urllib.error
origin, forward, reverse, grant = sys.argv[1:5]
said = {}

proxies = urllib.request.ProxyHandler({'http': 'http://grant:%s@127.0.0.1:%s' % (grant, forward)})
opener = urllib.request.build_opener(proxies)
with opener.open(origin + '/urllib', data=b'hello') as reply:
    said['urllib'] = [reply.status, json.load(reply)['length']]

plain = urllib.request.build_opener(urllib.request.ProxyHandler({'http': 'http://127.0.0.1:' + forward}))
try:
    plain.open(origin + '/urllib')
except urllib.error.HTTPError as refused:
    said['refused'] = {'status': refused.code, 'headers': {k.lower(): v for k, v in refused.headers.items()}, 'body': refused.read().decode()}

connection = http.client.HTTPConnection('127.0.0.1', int(reverse))
for step in range(3):
    connection.request('POST', '/api/chunks', body=iter([b'ab', b'cd']), headers={'Writ-Grant': grant}, encode_chunked=True)
    reply = connection.getresponse()
    said['chunks'] = [reply.status, json.load(reply)['length'], connection.sock is not None]
connection.request('HEAD', '/api/head', headers={'Writ-Grant': grant})
reply = connection.getresponse()
said['head'] = [reply.status, len(reply.read())]
print(json.dumps(said))
`;

t.test('Python', { skip: missing('python3') }, async (t) => {
  const { origin, sidecar, grant } = await stage(t);
  const ports = [String(sidecar.port('forward')), String(sidecar.port('reverse'))];
  const { stdout, stderr } = await run('python3', ['-', origin.url, ...ports, grant], PYTHON);
  t.equal(stderr, '');
  const said = JSON.parse(stdout) as { refused: Reply }; // what the script prints
  t.match(said, { urllib: [200, 5], chunks: [200, 4, true], head: [200, 0] });
  assertDenied(t, sidecar.home, { reply: said.refused, code: 'grant_missing' });
});
