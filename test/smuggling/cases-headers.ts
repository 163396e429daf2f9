/** Headers that decide or describe: twins, what Connection lists, overrides, grants, Expect, Upgrade, counts. */
import type { DenialCode } from '../../src/denial/table.ts';
import { get, permit, PERMIT, post, request, SMUGGLED, whole } from './row.ts';
import type { Expected, Row, Unusual } from './row.ts';

const TWIN: DenialCode = 'header_lookalike';
const OVERRIDE: DenialCode = 'method_override';

/** One line among the headers. */
const line = (name: string, text: string, expected: Expected, unusual: Unusual = {}): Row => [
  name,
  get(text),
  expected,
  unusual,
];

const fill = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `a${i}:`);
const HANDSHAKE = 'Connection: Upgrade\r\nUpgrade: websocket';
const VERSION = 'Sec-WebSocket-Version: 13';
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';

/** A grant where none is said; inside a tunnel its own stands in. */
const INSIDE: Unusual = { on: { tunnel: PERMIT, 'plain-tunnel': PERMIT } };

export const headerRows: readonly Row[] = [
  line('writ_grant', 'writ_grant: {grant}', TWIN),
  line('Writ_Grant beside none', 'Writ_Grant: x', TWIN),
  line('content_length', 'content_length: 5', TWIN),
  line('Content_Length', 'Content_Length: 5', TWIN),
  line('transfer_encoding', 'transfer_encoding: chunked', TWIN),
  line('proxy_authorization', 'proxy_authorization: Bearer {grant}', TWIN),
  line('proxy_connection', 'Proxy_Connection: close', TWIN),
  line('x_forwarded_for', 'X_Forwarded_For: 127.0.0.1', TWIN),
  line('x-forwarded_for', 'X-Forwarded_For: 127.0.0.1', TWIN),
  line('x_real_ip', 'X_Real_IP: 127.0.0.1', TWIN),
  line('keep_alive', 'Keep_Alive: 1', TWIN),
  line('http2_settings', 'HTTP2_Settings: AAMAAABk', TWIN),
  line('x_http_method_override', 'X_HTTP_Method_Override: DELETE', TWIN),
  line('x_original_url', 'X_Original_URL: /admin', TWIN),
  line('two that differ in a hyphen', 'X-Key: a\r\nX_Key: b', TWIN),
  line('two that differ in two hyphens', 'X_Api_Key: a\r\nX-Api-Key: b', TWIN),
  line('an underscore that imitates nothing', 'X_Only: a', PERMIT),

  line('Connection lists the grant', 'Connection: writ-grant', PERMIT),
  line('Connection lists the grant and the length', 'Connection: Writ-Grant, Content-Length, close-not', PERMIT),
  line('Connection lists the trace', 'Connection: traceparent\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', PERMIT),
  line('Connection lists a header', 'Connection: x-gone\r\nX-Gone: 1', PERMIT),
  line('Connection lists credentials', 'Connection: Authorization, Cookie\r\nAuthorization: Bearer s\r\nCookie: a=b', PERMIT),
  line('Connection lists an override', 'Connection: X-HTTP-Method-Override\r\nX-HTTP-Method-Override: DELETE', OVERRIDE),
  line('Connection lists a twin', 'Connection: writ_grant\r\nwrit_grant: x', TWIN),
  line('Connection lists Expect', 'Connection: expect\r\nExpect: tea', 'expect_unsupported'),
  line('Connection twice', 'Connection: a\r\nConnection: keep-alive', PERMIT),
  line('Connection with gaps', 'Connection: ,, keep-alive ,', PERMIT),
  line('Proxy-Connection', 'Proxy-Connection: keep-alive', PERMIT),
  line('Keep-Alive', 'Keep-Alive: timeout=1000', PERMIT),
  line('other hop-by-hop headers', 'Proxy-Authenticate: x\r\nProxy-Authentication-Info: y', PERMIT),
  line('where it comes from', 'Forwarded: for=127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 127.0.0.1', PERMIT),
  line('headers of ours', 'Writ-Decision: permit\r\nWrit-Admin: 1', PERMIT),
  line('a header __proto__', '__proto__: 1\r\nconstructor: 2', PERMIT),
  line('a trace that is none', 'Traceparent: 00-x', PERMIT),
  line('two traces', 'Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTraceparent: x', PERMIT),
  line('cookies on two lines', 'Cookie: a=b\r\nCookie: c=d', PERMIT),
  line('the same header often', 'X: 1\r\nX: 2\r\nx: 3', PERMIT),

  line('X-HTTP-Method-Override', 'X-HTTP-Method-Override: DELETE', OVERRIDE),
  line('X-HTTP-Method', 'X-HTTP-Method: DELETE', OVERRIDE),
  line('X-Method-Override', 'X-Method-Override: DELETE', OVERRIDE),
  line('X-Original-URL', 'X-Original-URL: /admin', OVERRIDE),
  line('X-Rewrite-URL', 'X-Rewrite-URL: /admin', OVERRIDE),
  line('an override of nothing', 'X-HTTP-Method-Override:', OVERRIDE),

  line('two grants', 'Writ-Grant: {grant}', 'grant_ambiguous'),
  line('an empty grant beside it', 'Writ-Grant:', 'grant_ambiguous'),
  line('a grant in both headers', 'Proxy-Authorization: Bearer {grant}', 'grant_ambiguous'),
  line('other credentials for the proxy beside it', 'Proxy-Authorization: Basic YTpi', 'grant_ambiguous'),
  ['no grant', 'GET {base}/a HTTP/1.1\r\nHost: {host}\r\n\r\n', 'grant_missing', INSIDE],
  ['an empty grant', 'GET {base}/a HTTP/1.1\r\nHost: {host}\r\nWrit-Grant:\r\n\r\n', 'grant_malformed'],
  ['a grant that is none', 'GET {base}/a HTTP/1.1\r\nHost: {host}\r\nWrit-Grant: x\r\n\r\n', 'grant_malformed'],
  ['a grant with a space in it', 'GET {base}/a HTTP/1.1\r\nHost: {host}\r\nWrit-Grant: {grant} {grant}\r\n\r\n', 'grant_malformed'],
  ['a grant in Authorization', 'GET {base}/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {grant}\r\n\r\n', 'grant_missing', INSIDE],
  ['a grant in a cookie', 'GET {base}/a HTTP/1.1\r\nHost: {host}\r\nCookie: Writ-Grant={grant}\r\n\r\n', 'grant_missing', INSIDE],
  ['a grant in the query', 'GET {base}/a?writ-grant={grant} HTTP/1.1\r\nHost: {host}\r\n\r\n', 'grant_missing', INSIDE],
  ['a grant for another method', request('PATCH', '/a', []), 'scope_action'],

  line('Expect: 100-continue without a body', 'Expect: 100-continue', PERMIT, { goesOn: false }),
  ['Expect: 100-continue', post('hello', 'Expect: 100-continue', 'Content-Length: 5'), permit('hello')],
  ['Expect: 100-Continue', post('hello', 'Expect: 100-Continue', 'Content-Length: 5'), permit('hello')],
  ['Expect: 100-continue in HTTP/1.0', whole('POST {base}/a HTTP/1.0', ['Host: {host}', 'Connection: keep-alive', 'Expect: 100-continue', 'Content-Length: 5'], 'hello'), permit('hello')],
  ['Expect: 100-continue, refused', post(SMUGGLED, 'Expect: 100-continue', 'Content-Length: {length}', 'Writ-Grant: x'), 'grant_ambiguous'],
  line('another expectation', 'Expect: tea', 'expect_unsupported'),
  line('an empty expectation', 'Expect:', 'expect_unsupported'),
  line('y 100-continue', 'Expect: y 100-continue', 'expect_unsupported'),
  line('100-continue in a list', 'Expect: 100-continue, x', 'expect_unsupported'),
  line('100-continue twice', 'Expect: 100-continue\r\nExpect: 100-continue', 'expect_unsupported'),
  line('100-continue in quotes', 'Expect: "100-continue"', 'expect_unsupported'),
  line('100-continue with a NUL', 'Expect: 100-continue\0', 400),

  line('Trailer', 'Trailer: X', 'trailers_unsupported'),
  line('an empty Trailer', 'Trailer:', 'trailers_unsupported'),

  line('Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__', 'upgrade_unsupported'),
  line('Upgrade: h2c without Connection', 'Upgrade: h2c', 'upgrade_unsupported'),
  line('Upgrade: h2c beside websocket', 'Connection: Upgrade\r\nUpgrade: h2c, websocket', 'upgrade_unsupported'),
  line('Upgrade: h2c on a line beside websocket', `${HANDSHAKE}\r\nUpgrade: h2c`, 'upgrade_unsupported'),
  line('Upgrade: h2', 'Connection: Upgrade\r\nUpgrade: h2', 'upgrade_unsupported'),
  line('Upgrade: TLS/1.2', 'Connection: Upgrade\r\nUpgrade: TLS/1.2', 'upgrade_unsupported'),
  line('Upgrade: WebSocket with capitals', 'Connection: Upgrade\r\nUpgrade: WebSocket', 'upgrade_unsupported'),
  line('an empty Upgrade', 'Connection: Upgrade\r\nUpgrade:', 'upgrade_unsupported'),
  line('Connection: Upgrade alone', 'Connection: Upgrade', PERMIT),
  line('HTTP2-Settings alone', 'Connection: HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk', PERMIT),
  line('a WebSocket without a key', `${HANDSHAKE}\r\n${VERSION}`, 'upgrade_invalid'),
  line('a WebSocket with two keys', `${HANDSHAKE}\r\n${VERSION}\r\n${KEY}\r\n${KEY}`, 'upgrade_invalid'),
  line('a WebSocket of another version', `${HANDSHAKE}\r\n${KEY}\r\nSec-WebSocket-Version: 777`, 'upgrade_invalid'),
  line('a WebSocket without Connection', `Upgrade: websocket\r\n${VERSION}\r\n${KEY}`, 'upgrade_invalid'),
  line('a WebSocket that is not granted', `${HANDSHAKE}\r\n${VERSION}\r\n${KEY}`, 'scope_action', { goesOn: false }),
  ['a WebSocket by POST', post('', HANDSHAKE, VERSION, KEY), 'upgrade_invalid'],
  ['a WebSocket with a body', request('GET', '/a', [HANDSHAKE, VERSION, KEY, 'Content-Length: {length}'], SMUGGLED), 'upgrade_invalid'],
  ['a WebSocket with chunks', request('GET', '/a', [HANDSHAKE, VERSION, KEY, 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`), 'upgrade_invalid'],
  ['Upgrade: h2c with a request behind', get('Connection: Upgrade', 'Upgrade: h2c') + SMUGGLED, 'upgrade_unsupported'],
  ['a WebSocket in HTTP/1.0', whole('GET {base}/a HTTP/1.0', ['Host: {host}', HANDSHAKE, VERSION, KEY]), 'upgrade_invalid'],

  ['100 headers', get(...fill(98)), PERMIT],
  ['101 headers', get(...fill(99)), 'header_count'],
  ['1,100 headers', get(...fill(1100)), 'header_count'],
  ['1,100 headers that hide a coding', post(`0\r\n\r\n${SMUGGLED}`, ...fill(1100), 'Transfer-Encoding: chunked'), 'header_count'],
  ['1,100 headers that hide a length', post(SMUGGLED, ...fill(1100), 'Content-Length: {length}'), 'header_count'],
  ['1,100 headers that hide both', post(SMUGGLED, ...fill(1100), 'Content-Length: 5', 'Transfer-Encoding: chunked'), 400],
  ['1,100 headers that hide a grant', post('', ...fill(1100), 'Writ-Grant: {grant}'), 'header_count'],
  ['2,500 headers that hide a coding', post(`0\r\n\r\n${SMUGGLED}`, ...Array.from({ length: 2500 }, () => 'a:'), 'Transfer-Encoding: chunked'), 'header_count'],
  ['a head over 16 KiB', get(`X: ${'x'.repeat(16_384)}`), 431],
  ['a name over 16 KiB', get(`${'x'.repeat(16_384)}: y`), 431],
  ['a target over 16 KiB', request('GET', `/${'x'.repeat(16_384)}`, []), 431],
  ['a head just over 16 KiB', get(...Array.from({ length: 90 }, (_, i) => `X-${i}:${'x'.repeat(175)}`)), 431],
]; // prettier-ignore
