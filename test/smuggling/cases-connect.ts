/** CONNECT itself: junk authorities, bodies, and bytes that come early (RFC 9110 §9.3.6, RFC 9112 §3.2.3). */
import type { DenialCode } from '../../src/denial/table.ts';
import { get, permit, PERMIT, post, request, SMUGGLED, whole } from './row.ts';
import type { Answer, Expected, Row } from './row.ts';

/** A CONNECT with this target and these lines; what follows is early. */
const connect = (target: string, lines: readonly string[], early = ''): string =>
  [`CONNECT ${target} HTTP/1.1`, ...lines, 'Writ-Grant: {grant}', '', early].join('\r\n');

/** Nothing comes out of it: a request behind it is not taken for one. */
const refused = (name: string, target: string, expected: Expected, line = `Host: ${target}`): Row => [
  `CONNECT ${name}`,
  connect(target, [line], SMUGGLED),
  expected,
  { ending: 'quiet' },
];

const JUNK: DenialCode = 'host_invalid';
const GOOD = '127.0.0.1:{port}';

/** Refused on the forward port. */
export const connectRows: readonly Row[] = [
  refused('without a port', '127.0.0.1', 'target_invalid'),
  refused('with an empty port', '127.0.0.1:', JUNK),
  refused('with port 0', '127.0.0.1:0', JUNK),
  refused('with a port of zeros', '127.0.0.1:0443', JUNK),
  refused('with port 65536', '127.0.0.1:65536', JUNK),
  refused('with two ports', '127.0.0.1:443:443', JUNK),
  refused('with a signed port', '127.0.0.1:+443', JUNK),
  refused('with a port of letters', '127.0.0.1:https', JUNK),
  refused('without a host', ':443', JUNK),
  refused('of a slash', '/', JUNK),
  refused('of a star', '*', JUNK),
  refused('of a path', `${GOOD}/a`, JUNK),
  refused('of a query', `${GOOD}?a`, JUNK),
  refused('of a fragment', `${GOOD}#a`, 400),
  refused('of a URL', `http://${GOOD}`, JUNK),
  refused('of a URL with a path', `https://${GOOD}/a`, JUNK),
  refused('of a user', `me@${GOOD}`, JUNK),
  refused('of an empty user', `@${GOOD}`, JUNK),
  refused('of two hosts', `${GOOD},127.0.0.2:443`, JUNK),
  refused('of an encoded letter', '%6cocalhost:{port}', JUNK),
  refused('of an encoded NUL', '127.0.0.1%00:{port}', JUNK),
  refused('of a NUL', '127.0.0.1\0:{port}', 400),
  refused('of a dot at the end', '127.0.0.1.:{port}', JUNK),
  refused('of one number', '2130706433:{port}', JUNK),
  refused('of octal', '0177.0.0.1:{port}', JUNK),
  refused('of hexadecimal', '0x7f000001:{port}', JUNK),
  refused('of a short address', '127.1:{port}', JUNK),
  refused('of an underscore', 'a_b.test:{port}', JUNK),
  refused('of UTF-8', 'l\xc3\xb6calhost:{port}', 400),
  refused('of open brackets', '[::1:{port}', JUNK),
  refused('of a zone', '[fe80::1%25lo]:{port}', JUNK),
  refused('of IPv6 without brackets', '::1:{port}', JUNK),
  refused('of IPv6 in another spelling', '[0:0:0:0:0:0:0:1]:{port}', JUNK),
  refused('of a backslash', '127.0.0.1\\a:{port}', 400),
  refused('of a space', '127.0.0.1 :{port}', 400),
  refused('of another host', '127.0.0.2:{port}', 'scope_location'),
  refused('of another Host', GOOD, 'authority_mismatch', 'Host: other.test'),
  refused('of another port in Host', GOOD, 'authority_mismatch', 'Host: 127.0.0.1:1'),
  refused('of Host without a port', GOOD, 'authority_mismatch', 'Host: 127.0.0.1'),
  refused('without Host', GOOD, 'host_missing', 'X: y'),
  refused('of two Hosts', GOOD, 'header_duplicate', `Host: ${GOOD}\r\nHost: ${GOOD}`),
  refused('with a length', GOOD, 'framing_invalid', `Host: ${GOOD}\r\nContent-Length: 5`),
  refused('with chunks', GOOD, 'framing_invalid', `Host: ${GOOD}\r\nTransfer-Encoding: chunked`),
  refused('with both', GOOD, 400, `Host: ${GOOD}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`),
  refused('with an Upgrade', GOOD, 'upgrade_unsupported', `Host: ${GOOD}\r\nConnection: Upgrade\r\nUpgrade: h2c`),
  refused('with another expectation', GOOD, 'expect_unsupported', `Host: ${GOOD}\r\nExpect: tea`),
  refused('with two grants', GOOD, 'grant_ambiguous', `Host: ${GOOD}\r\nWrit-Grant: x`),
  refused('with a twin', GOOD, 'header_lookalike', `Host: ${GOOD}\r\nwrit_grant: x`),
  refused('with a bare LF', GOOD, 400, `Host: ${GOOD}\nX: y`),
  ['a CONNECT in HTTP/1.0 without Host', `CONNECT ${GOOD} HTTP/1.0\r\nWrit-Grant: x\r\n\r\n${SMUGGLED}`, 'grant_malformed', { ending: 'quiet' }],
  ['a denied CONNECT, and a request behind it', `CONNECT ${GOOD} HTTP/1.1\r\nHost: ${GOOD}\r\nWrit-Grant: x\r\n\r\n${SMUGGLED}`, 'grant_malformed', { ending: 'quiet' }],
  ['a denied CONNECT, and a ClientHello behind it', `CONNECT ${GOOD} HTTP/1.1\r\nHost: ${GOOD}\r\nWrit-Grant: x\r\n\r\n\x16\x03\x01\x02\0`, 'grant_malformed', { ending: 'quiet' }],
  ['a request, and a denied CONNECT', `${request('GET', '/a', [])}CONNECT ${GOOD} HTTP/1.1\r\nHost: ${GOOD}\r\nWrit-Grant: x\r\n\r\n${SMUGGLED}`, [PERMIT, 'grant_malformed'], { ending: 'quiet' }],
  ['a small connect', `connect ${GOOD} HTTP/1.1\r\nHost: ${GOOD}\r\nWrit-Grant: {grant}\r\n\r\n${SMUGGLED}`, 400, { ending: 'quiet' }],
]; // prettier-ignore

/** Opened: what came early is the tunnel's, and only what a tunnel may hold. */
export const earlyRows: readonly Row[] = [
  ['a request in the clear', connect(GOOD, [`Host: ${GOOD}`], SMUGGLED), 200, { ending: 'quiet' }],
  ['a NUL', connect(GOOD, [`Host: ${GOOD}`], '\0'), 200, { ending: 'quiet' }],
  ['a record that is no handshake', connect(GOOD, [`Host: ${GOOD}`], '\x17\x03\x03\0\x05hello'), 200, { ending: 'quiet' }],
  ['a ClientHello of SSL 2', connect(GOOD, [`Host: ${GOOD}`], '\x80\x2e\x01\x03\x01'), 200, { ending: 'quiet' }],
  ['a handshake that is no ClientHello', connect(GOOD, [`Host: ${GOOD}`], '\x16\x03\x01\0\x04\x02\0\0\0'), 200, { ending: 'quiet' }],
  ['an empty record', connect(GOOD, [`Host: ${GOOD}`], '\x16\x03\x01\0\0'), 200, { ending: 'quiet' }],
  ['a second CONNECT', connect(GOOD, [`Host: ${GOOD}`], connect(GOOD, [`Host: ${GOOD}`])), 200, { ending: 'quiet' }],
  ['the preface of HTTP/2', connect(GOOD, [`Host: ${GOOD}`], 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 200, { ending: 'quiet' }],
]; // prettier-ignore

/** A CONNECT where HTTP in the clear may be spoken inside, and what comes right behind it. */
const behind = (name: string, early: string, answers: readonly Answer[], goesOn = false): Row => [
  `${name}, early`,
  connect('{host}', ['Host: {host}'], early),
  [200, ...answers],
  { outside: true, goesOn },
];
const NO_GRANT = 'GET /a HTTP/1.1\r\nHost: {host}\r\nWrit-Grant: x\r\n\r\n';

/** Opened, and heard like what comes later. */
export const earlyPlainRows: readonly Row[] = [
  behind('a request', get(), [PERMIT], true),
  behind('a body', post('hello', 'Content-Length: 5'), [permit('hello')], true),
  behind('chunks', post('5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'), [permit('hello')], true),
  behind('two requests', get() + get(), [PERMIT, PERMIT], true),
  behind('a request behind a denial', NO_GRANT + get(), ['grant_malformed', PERMIT], true),
  behind('a request behind a broken rule', get('Expect: tea') + SMUGGLED, ['expect_unsupported']),
  behind('two framings', post(`0\r\n\r\n${SMUGGLED}`, 'Content-Length: {length}', 'Transfer-Encoding: chunked'), [400]),
  behind('LF everywhere', get().replaceAll('\r\n', '\n') + SMUGGLED, [400]),
  behind('another Host', whole('GET /a HTTP/1.1', ['Host: other.test']), ['authority_mismatch']),
  behind('a target in absolute-form', whole('GET http://{host}/a HTTP/1.1', ['Host: {host}']), ['target_origin_required']),
  behind('a second CONNECT', connect('{host}', ['Host: {host}'], SMUGGLED), ['tunnel_unsupported']),
  behind('what is not HTTP', `\0\0${SMUGGLED}`, [400]),
]; // prettier-ignore

/** Inside a tunnel, as a request. */
export const insideRows: readonly Row[] = [
  ['a CONNECT inside', connect('{host}', ['Host: {host}'], SMUGGLED), 'tunnel_unsupported', { ending: 'quiet' }],
  ['a body that looks like a CONNECT', request('POST', '/a', ['Content-Length: 9'], 'CONNECT a'), permit('CONNECT a')],
]; // prettier-ignore
