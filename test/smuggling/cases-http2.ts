/** HTTP/2 heads and frames that no library would send (RFC 9113 §8), before an origin that speaks HTTP/1.1 only. */
import type { DenialCode } from '../../src/denial/table.ts';
import { END_HEADERS, END_STREAM, frame, TYPE } from '../proxy/http2-frames.ts';
import { BASE, data, GRANT, head, pseudo } from './http2-row.ts';
import type { Http2Row, Rest } from './http2-row.ts';
import { permit, PERMIT, SMUGGLED } from './row.ts';
import type { Expected } from './row.ts';

const path = (name: string, value: string, expected: Expected): Http2Row => [
  `:path ${name}`,
  pseudo(':path', value),
  expected,
];
const authority = (name: string, value: string, expected: Expected, rest: Rest = {}): Http2Row => [
  `:authority ${name}`,
  pseudo(':authority', value),
  expected,
  rest,
];
const method = (name: string, value: string, expected: Expected): Http2Row => [
  `:method ${name}`,
  pseudo(':method', value),
  expected,
];
/** The good head and these fields. */
const plus = (name: string, fields: readonly string[], expected: Expected): Http2Row => [
  name,
  [...BASE, ...GRANT, ...fields],
  expected,
];
/** A POST with a body. */
const post = (name: string, fields: readonly string[], expected: Expected, rest: Rest): Http2Row => [
  name,
  [...BASE.with(1, 'POST'), ...GRANT, ...fields],
  expected,
  rest,
];
const trailing = (name: string, trailers: readonly string[], expected: Expected): Http2Row =>
  post(`trailers: ${name}`, [], expected, { data: 'hello', trailers });
/** Those that an origin gets that speaks HTTP/2 as well. */
const passing = (name: string, trailers: readonly string[]): Http2Row => {
  const passed = { permit: 'hello', trailers };
  return post(`trailers: ${name}`, [], NO_TRAILERS, {
    ...{ data: 'hello', trailers },
    on: { 'tunnel-to-h2': passed, 'plain-tunnel-to-h2': passed },
  });
};

/** The route decides there, whatever is named. */
const ROUTED: Rest = { on: { reverse: PERMIT } };
/** On the transparent port the port is the one that is named. */
const ANY_PORT: Rest = {
  on: { ...ROUTED.on, 'transparent-tls': 'scope_location', transparent: 'scope_location' },
};
/** In the clear the host is the one that is named, too. */
const OTHER: Rest = { on: { ...ROUTED.on, transparent: 'scope_location' } };
/** There each request brings its own grant. */
const UNGRANTED: Rest = {
  on: { reverse: 'grant_missing', 'transparent-tls': 'grant_missing', transparent: 'grant_missing' },
};
/** node:http2 leaves such fields out: neither policy nor the origin sees them. */
const LEFT_OUT = PERMIT;
const TWIN: DenialCode = 'header_lookalike';
const LENGTH: DenialCode = 'content_length_invalid';
const NO_TRAILERS: DenialCode = 'trailers_unsupported';
const INJECTED = `y\r\n\r\n${SMUGGLED}`;
const many = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => [`x-${i}`, '']).flat();

export const http2Rows: readonly Http2Row[] = [
  ['a plain request', [...BASE, ...GRANT], PERMIT],
  ['a request under the grant of its tunnel', BASE, PERMIT, UNGRANTED],
  ['no :method', pseudo(':method', undefined), 'broken'],
  ['no :scheme', pseudo(':scheme', undefined), 'broken'],
  ['no :path', pseudo(':path', undefined), 'broken'],
  ['no :authority and no host', pseudo(':authority', undefined), 'broken'],
  ['host instead of :authority', [...pseudo(':authority', undefined), 'host', '{host}'], PERMIT],
  ['two :method', [...BASE, ':method', 'POST', ...GRANT], 'broken'],
  ['two :scheme', [...BASE, ':scheme', '{scheme}', ...GRANT], 'broken'],
  ['two :path', [...BASE, ':path', '/smuggled', ...GRANT], 'broken'],
  ['two :authority', [...BASE, ':authority', '{host}', ...GRANT], 'broken'],
  ['a pseudo-header behind a header', [...BASE.slice(0, 6), ...GRANT, ':path', '/smuggled'], 'broken'],
  ['a pseudo-header of nobody', [...BASE, ':odd', '1', ...GRANT], 'broken'],
  ['a pseudo-header of responses', [...BASE, ':status', '200', ...GRANT], 'broken'],
  ['a pseudo-header without a name', [...BASE, ':', '1', ...GRANT], 'broken'],
  ['a pseudo-header with capitals', [...BASE, ':Path', '/smuggled', ...GRANT], 'broken'],
  ['nothing at all', [], 'broken'],

  path('empty', '', 'broken'),
  path('of a star', '*', 'broken'),
  path('without its slash', 'a', 'broken'),
  path('in absolute-form', '{scheme}://{host}/a', 'broken'),
  path('with two slashes', '//smuggled', 'path_empty_segment'),
  path('with dots', '/a/../b', 'path_dot_segment'),
  path('with encoded dots', '/a/%2e%2e/b', 'path_dot_segment'),
  path('with %2f', '/a%2fb', 'path_encoded_slash'),
  path('with a backslash', '/a\\b', 'path_bytes'),
  path('with a fragment', '/a#b', 'target_fragment'),
  path('with a space', '/a b', 'broken'),
  path('with a space at its end', '/a ', 'broken'),
  path('with a version', '/a HTTP/1.1', 'broken'),
  path('with a tab', '/a\tb', 'broken'),
  path('with a NUL', '/a\0b', 'broken'),
  path('with CR LF', '/a HTTP/1.1\r\nX: y', 'broken'),
  path('with a whole request', `/a HTTP/1.1\r\nHost: {host}\r\n\r\n${SMUGGLED}`, 'broken'),
  path('with a bare LF', '/a\nb', 'broken'),
  path('beyond ASCII', '/caf\xe9', 'target_invalid'),
  path('with a query', '/a?b', PERMIT),
  path('of 9 KiB', `/${'a'.repeat(9000)}`, 'target_too_large'),

  authority('of another host', 'other.test', 'authority_misdirected', OTHER),
  authority('of another port', 'localhost:1', 'authority_misdirected', ANY_PORT),
  authority('without a port', 'localhost', 'authority_misdirected', ANY_PORT),
  authority('empty', '', 'broken'),
  authority('with a user', 'me@{host}', 'broken'),
  authority('with a path', '{host}/smuggled', 'broken'),
  authority('with a comma', '{host},other.test', 'host_invalid'),
  authority('with a dot at its end', 'localhost.:{port}', 'host_invalid'),
  authority('with a NUL', 'localhost\0', 'broken'),
  authority('with CR LF', `{host}\r\nX: y`, 'broken'),
  authority('with a space', '{host} x', 'broken'),
  authority('in capitals', '{HOST}', PERMIT),
  ['host beside :authority', [...BASE, 'host', '{host}', ...GRANT], PERMIT],
  ['another host beside :authority', [...BASE, 'host', 'other.test', ...GRANT], 'authority_mismatch'],
  ['an empty host beside :authority', [...BASE, 'host', '', ...GRANT], 'broken'],
  ['two hosts beside :authority', [...BASE, 'host', '{host}', 'host', '{host}', ...GRANT], 'broken'],

  ['another :scheme', pseudo(':scheme', '{otherScheme}'), 'authority_misdirected', ROUTED],
  [':scheme ftp', pseudo(':scheme', 'ftp'), 'target_invalid'],
  [':scheme in capitals', pseudo(':scheme', 'HTTPS'), 'target_invalid'],
  [':scheme empty', pseudo(':scheme', ''), 'broken'],
  [':scheme with a whole URL', pseudo(':scheme', '{scheme}://{host}/smuggled?'), 'broken'],
  [':scheme with CR LF', pseudo(':scheme', '{scheme}\r\nX: y'), 'broken'],
  method('in small letters', 'get', 'method_invalid'),
  method('empty', '', 'broken'),
  method('with a space', 'GET /smuggled', 'broken'),
  method('with CR LF', 'GET / HTTP/1.1\r\nX: y', 'broken'),
  method('with a whole request', `GET /smuggled HTTP/1.1\r\nHost: {host}\r\nX: y`, 'broken'),
  method('PRI', 'PRI', 'method_invalid'),
  method('UPGRADE', 'UPGRADE', 'method_invalid'),
  method('CONNECT with a path', 'CONNECT', 'broken'),
  ['CONNECT', [':method', 'CONNECT', ':authority', '{host}', ...GRANT], 'tunnel_unsupported'],
  ['extended CONNECT', [...BASE.with(1, 'CONNECT'), ':protocol', 'websocket', ...GRANT], 'broken'],
  [':protocol without CONNECT', [...BASE, ':protocol', 'websocket', ...GRANT], 'broken'],

  plus('a name in capitals', ['X-A', '1'], 'broken'),
  plus('one capital in a name', ['xA', '1'], 'broken'),
  plus('no name', ['', '1'], LEFT_OUT),
  plus('a space in a name', ['x a', '1'], LEFT_OUT),
  plus('a colon in a name', ['x:a', '1'], LEFT_OUT),
  plus('a colon at the end of a name', ['x:', '1'], LEFT_OUT),
  plus('CR LF in a name', ['x: y\r\nz', '1'], LEFT_OUT),
  plus('a whole request in a name', [`x: ${INJECTED}`, '1'], LEFT_OUT),
  plus('a NUL in a name', ['x\0', '1'], LEFT_OUT),
  plus('a letter beyond ASCII in a name', ['x\xe9', '1'], LEFT_OUT),
  plus('CR LF in a value', ['x', 'y\r\nz: 1'], LEFT_OUT),
  plus('a whole request in a value', ['x', INJECTED], LEFT_OUT),
  plus('a bare CR in a value', ['x', 'y\rz'], LEFT_OUT),
  plus('a bare LF in a value', ['x', 'y\nz'], LEFT_OUT),
  plus('a NUL in a value', ['x', 'y\0z'], LEFT_OUT),
  plus('a DEL in a value', ['x', 'y\x7fz'], LEFT_OUT),
  plus('a space before a value', ['x', ' y'], LEFT_OUT),
  plus('a space behind a value', ['x', 'y '], LEFT_OUT),
  plus('a tab before a value', ['x', '\ty'], LEFT_OUT),
  plus('octets beyond ASCII in a value', ['x', 'caf\xe9'], PERMIT),
  plus('an empty value', ['x', ''], PERMIT),
  plus('cookies in crumbs', ['cookie', 'a=b', 'cookie', 'c=d'], PERMIT),

  plus('connection', ['connection', 'close'], 'broken'),
  plus('connection that lists the grant', ['connection', 'writ-grant'], 'broken'),
  plus('keep-alive', ['keep-alive', '1'], 'broken'),
  plus('proxy-connection', ['proxy-connection', 'close'], 'broken'),
  plus('transfer-encoding', ['transfer-encoding', 'chunked'], 'broken'),
  plus('transfer-encoding: identity', ['transfer-encoding', 'identity'], 'broken'),
  plus('upgrade', ['upgrade', 'h2c'], 'broken'),
  plus('http2-settings', ['http2-settings', 'AAMAAABk'], PERMIT),
  plus('te: trailers', ['te', 'trailers'], PERMIT),
  plus('te: gzip', ['te', 'gzip'], 'broken'),
  plus('te: trailers in a list', ['te', 'trailers, gzip'], 'broken'),
  plus('te: chunked', ['te', 'chunked'], 'broken'),
  plus('transfer_encoding', ['transfer_encoding', 'chunked'], TWIN),
  plus('content_length', ['content_length', '5'], TWIN),
  plus('writ_grant', ['writ_grant', '{grant}'], TWIN),
  plus('two grants', ['writ-grant', '{grant}'], 'grant_ambiguous'),
  plus('an override', ['x-http-method-override', 'DELETE'], 'method_override'),
  plus('another expectation', ['expect', 'tea'], 'expect_unsupported'),
  plus('a handshake of HTTP/1', ['sec-websocket-version', '13', 'sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='], PERMIT),
  plus('101 fields', many(100), 'header_count'),
  plus('300 fields', many(300), 'broken'),
  plus('1,100 fields', many(1100), 'broken'),
  plus('1,100 fields that hide a grant', [...many(1100), 'writ-grant', '{grant}'], 'broken'),
  plus('1,100 fields that hide a coding', [...many(1100), 'transfer-encoding', 'chunked'], 'broken'),
  post('1,100 fields that hide a length', [...many(1100), 'content-length', '3'], 'broken', { data: SMUGGLED }),
  plus('__proto__', ['__proto__', '1'], PERMIT),

  plus('a length without a body', ['content-length', '5'], 'broken'),
  plus('a length of nothing', ['content-length', '0'], PERMIT),
  post('a body', [], permit('hello'), { data: 'hello' }),
  post('a body with its length', ['content-length', '5'], permit('hello'), { data: 'hello' }),
  post('a body with a request in it', [], permit(SMUGGLED), { data: SMUGGLED }),
  post('a body of chunks', [], permit(`0\r\n\r\n${SMUGGLED}`), { data: `0\r\n\r\n${SMUGGLED}` }),
  post('a length too small', ['content-length', '3'], 'broken', { data: 'hello' }),
  post('a length of nothing before a body', ['content-length', '0'], 'broken', { data: SMUGGLED }),
  post('a length too large', ['content-length', '9'], 'broken', { data: 'hello' }),
  post('two lengths', ['content-length', '5', 'content-length', '5'], 'broken', { data: 'hello' }),
  post('a list of lengths', ['content-length', '5, 5'], 'broken', { data: 'hello' }),
  post('a length with a plus', ['content-length', '+5'], 'broken', { data: 'hello' }),
  post('a length with a minus', ['content-length', '-5'], 'broken', { data: 'hello' }),
  post('a length with a zero', ['content-length', '05'], LENGTH, { data: 'hello' }),
  post('a length in hexadecimal', ['content-length', '0x5'], 'broken', { data: 'hello' }),
  post('an empty length', ['content-length', ''], 'broken', { data: 'hello' }),
  post('a length over 2^64', ['content-length', '18446744073709551621'], 'broken', { data: 'hello' }),
  post('an expectation', ['expect', '100-continue'], permit('hello'), { data: 'hello' }),
  post('a broken rule before a body', ['expect', 'tea'], 'expect_unsupported', { data: SMUGGLED }),

  passing('any', ['x-sum', '1']),
  passing('the same twice', ['x-sum', '1', 'x-sum', '2']),
  passing('octets beyond ASCII', ['x-sum', 'caf\xe9']),
  passing('32 of them', many(32)),
  trailing('33 of them', many(33), NO_TRAILERS),
  trailing('8 KiB of them', ['x-sum', 'x'.repeat(8192)], NO_TRAILERS),
  trailing('a host', ['host', 'other.test'], NO_TRAILERS),
  trailing('credentials', ['authorization', 'Bearer x'], NO_TRAILERS),
  trailing('a cookie', ['cookie', 'a=b'], NO_TRAILERS),
  trailing('a trace', ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'], NO_TRAILERS),
  trailing('an override', ['x-http-method-override', 'DELETE'], NO_TRAILERS),
  trailing('a twin of a length', ['content_length', '0'], NO_TRAILERS),
  trailing('a twin of a grant', ['writ_grant', '{grant}'], NO_TRAILERS),
  trailing('where it comes from', ['x-forwarded-for', '127.0.0.1'], NO_TRAILERS),
  trailing('a TE', ['te', 'trailers'], NO_TRAILERS),
  trailing('a Connection', ['connection', 'x-sum', 'x-sum', '1'], 'broken'),
  trailing('a status', [':status', '200'], 'broken'),
  trailing('a grant', ['writ-grant', '{grant}'], NO_TRAILERS),
  trailing('a length', ['content-length', '5'], NO_TRAILERS),
  trailing('a coding', ['transfer-encoding', 'chunked'], 'broken'),
  trailing('a pseudo-header', [':path', '/smuggled'], 'broken'),
  trailing('CR LF', ['x', INJECTED], permit('hello')),
  trailing('capitals', ['X', '1'], 'broken'),

  post('DATA behind the end', [], 'garbled', { data: 'hello', frames: [data(END_STREAM, SMUGGLED)] }),
  post('a second head', [], 'garbled', { data: 'hello', frames: [head(END_STREAM, ['x', '1'])] }),
  post('a second head in the middle', [], 'broken', { frames: [head(0, [...BASE]), data(END_STREAM, 'hello')] }),
  post('DATA on a stream that is not open', [], 'broken', { frames: [data(END_STREAM, SMUGGLED, 5)] }),
  post('a stream with an even number', [], 'broken', { frames: [head(END_STREAM, [...BASE, ...GRANT], 2)] }),
  post('a promise from the client', [], 'broken', { frames: [frame(5, END_HEADERS, { stream: 1, payload: Buffer.alloc(4) })] }),
  post('a CONTINUATION of nothing', [], 'broken', { frames: [frame(TYPE.CONTINUATION, END_HEADERS, { stream: 1 })] }),
  post('HTTP/1 between frames', [], 'broken', { frames: [Buffer.from(SMUGGLED)] }),
  post('padding that is longer than its frame', [], 'broken', { frames: [frame(TYPE.DATA, 8, { stream: 1, payload: Buffer.from([200, 1]) })] }),
  post('a window that overflows', [], 'broken', { frames: [frame(8, 0, { stream: 1, payload: Buffer.from([127, 255, 255, 255]) })] }),
  post('an empty SETTINGS on a stream', [], 'broken', { frames: [frame(TYPE.SETTINGS, 0, { stream: 1 })] }),
post('a body that RST_STREAM ends', [], 'broken', { frames: [data(0, 'hello'), ...reset(1)] }),
  post('a body that CANCEL ends', [], 'broken', { frames: [data(0, 'hello'), ...reset(8)] }),
  post('a body that RST_STREAM ends without an error', [], 'broken', { frames: [data(0, 'hello'), ...reset(0)] }),
  post('a counted body that RST_STREAM ends without an error', ['content-length', '9'], 'broken', { frames: [data(0, 'hello'), ...reset(0)] }),
  post('no body but RST_STREAM without an error', [], 'broken', { frames: [...reset(0)] }),
  post('frames of no known type', [], permit('hello'), { frames: [frame(77, 255, { stream: 1, payload: Buffer.from(SMUGGLED) }), data(END_STREAM, 'hello')] }),
]; // prettier-ignore

/** And nothing follows it on the connection. */
function reset(code: number): readonly Buffer[] {
  const [why, none] = [Buffer.from([0, 0, 0, code]), Buffer.alloc(8)];
  return [frame(TYPE.RST_STREAM, 0, { stream: 1, payload: why }), frame(TYPE.GOAWAY, 0, { payload: none })];
}
