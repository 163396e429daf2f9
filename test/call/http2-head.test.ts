/** Heads of HTTP/2: the same table of rules, and what only they can break. The parser refuses most of this before us. */
import t from 'tap';
import { readCall } from '../../src/call/read.ts';
import { streamHead } from '../../src/call/http2-head.ts';
import { readTrailers } from '../../src/call/trailers.ts';

const place = { scheme: 'https', host: 'a.test', port: 443, origin: 'https://a.test' } as const;
const context = {
  id: '0191b3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
  salt: new Uint8Array(16),
  carrier: 'connect',
} as const;
const base = [':method', 'POST', ':scheme', 'https', ':authority', 'a.test', ':path', '/p?q'];
const read = (fields: readonly string[], ended = false) =>
  readCall(streamHead(fields, ended), { ...context, tunnel: { place } });

t.test('pseudo-headers become a call', async (t) => {
  const call = read([...base, 'x', '1', 'te', 'trailers', 'trailer', 'x-sum']);
  t.match(call, { ok: true, value: { method: 'POST', path: '/p', query: 'q', origin: 'https://a.test' } });
  t.same(call.ok && call.value.headers.map(([name]) => name), ['host', 'x', 'traceparent']);
});

t.test('crumbs of a cookie become one header, at the place of the first', async (t) => {
  const call = read([...base, 'cookie', 'a=b', 'x', '1', 'cookie', 'c=d', 'cookie', '']);
  t.same(call.ok && call.value.headers.slice(1, 3), [
    ['cookie', 'a=b; c=d; '],
    ['x', '1'],
  ]);
});

t.test('the end of the stream frames the body', async (t) => {
  t.match(read(base), { value: { framing: { kind: 'chunked' } } });
  t.match(read(base, true), { value: { framing: { kind: 'none' } } });
  t.match(read([...base, 'content-length', '3']), { value: { framing: { kind: 'length', bytes: 3 } } });
  t.match(read([...base, 'content-length', '3'], true), { ok: false, code: 'content_length_invalid' });
});

const faults: readonly (readonly [name: string, fields: readonly string[], code: string])[] = [
  ['connection', [...base, 'connection', 'close'], 'header_invalid'],
  ['keep-alive', [...base, 'keep-alive', '1'], 'header_invalid'],
  ['proxy-connection', [...base, 'proxy-connection', 'close'], 'header_invalid'],
  ['transfer-encoding', [...base, 'transfer-encoding', 'chunked'], 'header_invalid'],
  ['upgrade', [...base, 'upgrade', 'websocket'], 'header_invalid'],
  ['te', [...base, 'te', 'trailers, gzip'], 'header_invalid'],
  ['upper case', [...base, 'X-A', '1'], 'header_invalid'],
  ['two paths', [...base, ':path', '/'], 'header_invalid'],
  ['a late pseudo-header', [...base.slice(0, 6), 'x', '1', ':path', '/'], 'header_invalid'],
  ['an unknown pseudo-header', [...base, ':protocol', 'websocket'], 'header_invalid'],
  ['no path', base.slice(0, 6), 'target_invalid'],
  ['absolute-form', base.with(7, 'https://a.test/'), 'target_origin_required'],
  ['no scheme', base.toSpliced(2, 2), 'target_invalid'],
  ['another scheme than the connection', base.with(3, 'http'), 'authority_misdirected'],
  ['another authority than the connection', base.with(5, 'b.test'), 'authority_misdirected'],
  ['another port', base.with(5, 'a.test:444'), 'authority_misdirected'],
  ['no authority', base.toSpliced(4, 2), 'host_missing'],
  ['a host that differs', [...base, 'host', 'b.test'], 'authority_mismatch'],
  ['userinfo', base.with(5, 'me@a.test'), 'host_invalid'],
  ['CONNECT', base.with(1, 'CONNECT'), 'tunnel_unsupported'],
  ['two hosts', [...base, 'host', 'a.test', 'host', 'a.test'], 'header_duplicate'],
  ['a head of 17 KiB', [...base, 'x', 'y'.repeat(17_000)], 'head_too_large'],
  ['101 headers', [...base, ...Array.from({ length: 202 }, () => 'x')], 'header_count'],
];

t.test('what a stream may not say is refused', async (t) => {
  for (const [name, fields, code] of faults) t.match(read(fields), { ok: false, code }, name);
});

t.test('a version without its stream, and a stream of another version, are refused', async (t) => {
  const { stream, ...flat } = streamHead(base, true);
  t.ok(stream);
  const refused = { ok: false, code: 'http_version_unsupported' };
  t.match(readCall(flat, { ...context, tunnel: { place } }), refused);
  t.match(
    readCall({ ...flat, ...(stream && { stream }), version: '1.1' }, { ...context, tunnel: { place } }),
    refused,
  );
});

t.test('trailers that could change what was decided do not pass', async (t) => {
  t.same(readTrailers(['x-sum', '1']), { ok: true, value: [['x-sum', '1']] });
  const forbidden =
    'writ-grant writ_grant authorization cookie host content-length content-type transfer-encoding te ' +
    'x-forwarded-for x-http-method-override range expect signature :path';
  for (const name of forbidden.split(' '))
    t.match(readTrailers([name, '1']), { ok: false, code: 'trailers_unsupported' }, name);
  t.match(readTrailers(Array.from({ length: 66 }, () => 'x')), { ok: false });
});
