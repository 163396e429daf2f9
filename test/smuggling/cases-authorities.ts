/** Who is meant: `Host`, and the authority of a target (RFC 9112 §3.2, RFC 9110 §4.2, §7.2, RFC 3986 §3.2). */
import type { DenialCode } from '../../src/denial/table.ts';
import { PERMIT, whole } from './row.ts';
import type { Expected, Row, Unusual } from './row.ts';

const JUNK: DenialCode = 'host_invalid';
const OTHER: DenialCode = 'authority_mismatch';

/** These lines instead of the right `Host`. */
const host = (name: string, lines: readonly string[], expected: Expected, on: Unusual['on'] = {}): Row => [
  `Host ${name}`,
  whole('GET {base}/a HTTP/1.1', lines),
  expected,
  { on },
];

/** A `Host` that no port takes. */
const junk = (name: string, text: string, expected: Expected = JUNK): Row =>
  host(name, [`Host: ${text}`], expected);

/**
 * A good name, and not the right one: on the reverse port any `Host` may stand that a route takes; on the transparent
 * port it is the place that is meant.
 */
const other = (name: string, text: string): Row =>
  host(name, [`Host: ${text}`], OTHER, { reverse: PERMIT, transparent: 'scope_location' });

/** An authority of the forward port's targets, which `Host` repeats; no other port takes it. */
const named = (name: string, authority: string, expected: Expected, hostLine = `Host: ${authority}`): Row => [
  `authority ${name}`,
  whole(`GET http://${authority}/a HTTP/1.1`, [hostLine]),
  null,
  { on: { forward: expected } },
];

export const authorityRows: readonly Row[] = [
  host('in small letters', ['host:{host}'], PERMIT),
  host('in capitals', ['HOST: {host}'], PERMIT),
  host('behind other headers', ['X: y', 'Host: {host}'], PERMIT),
  host('that Connection lists', ['Host: {host}', 'Connection: host'], PERMIT),
  host('missing', [], 'host_missing'),
  host('twice', ['Host: {host}', 'Host: {host}'], 'header_duplicate'),
  host('twice, in other letters', ['Host: {host}', 'hOST: {host}'], 'header_duplicate'),
  host('twice, one of them other', ['Host: {host}', 'Host: other.test'], 'header_duplicate'),
  host('twice, one of them empty', ['Host:', 'Host: {host}'], 'header_duplicate'),
  host('with a space before its colon', ['Host : {host}'], 400),
  host('with a space before its name', [' Host: {host}'], 400),
  host('folded', ['Host:\r\n {host}'], 400),
  host('behind a bare LF', ['X: y\nHost: {host}'], 400),
  host('beside X-Forwarded-Host', ['Host: {host}', 'X-Forwarded-Host: other.test'], PERMIT),
  host('beside X-Host', ['Host: {host}', 'X-Host: other.test'], PERMIT),
  host('beside a twin', ['Host: {host}', 'X_Host: a', 'X-Host: b'], 'header_lookalike'),
  host('beside Forwarded', ['Host: {host}', 'Forwarded: host=other.test'], PERMIT),
  host('beside :authority', ['Host: {host}', ':authority: other.test'], 400),

  other('another name', 'other.test'),
  other('another port', '127.0.0.1:1'),
  other('no port', '127.0.0.1'),
  other('another address', '127.0.0.2:{port}'),
  other('an IPv6 address', '[::1]:{port}'),
  junk('of a name before an address', 'x.127.0.0.1'),
  junk('empty', ''),
  junk('of a space', ' '),
  junk('with a space', '{host} other.test'),
  junk('with a comma', '{host},other.test'),
  junk('with a comma and a space', '{host}, other.test'),
  junk('with a semicolon', '{host};other.test'),
  junk('with a user', 'me@{host}'),
  junk('with an empty user', '@{host}'),
  junk('with a path', '{host}/'),
  junk('with a query', '{host}?'),
  junk('with a fragment', '{host}#'),
  junk('with a backslash', '{host}\\'),
  junk('with a scheme', 'http://{host}'),
  junk('with two ports', '{host}:80'),
  junk('with an empty port', 'other.test:'),
  junk('with a port alone', ':80'),
  junk('with port 0', 'other.test:0'),
  junk('with a port of zeros', 'other.test:080'),
  junk('with a signed port', 'other.test:+80'),
  junk('with a negative port', 'other.test:-80'),
  junk('with port 65536', 'other.test:65536'),
  junk('with a hexadecimal port', 'other.test:0x50'),
  junk('with a port of letters', 'other.test:http'),
  junk('with a dot at its end', 'other.test.'),
  junk('with a dot first', '.other.test'),
  junk('with two dots', 'other..test'),
  junk('of one dot', '.'),
  junk('with a hyphen first', '-other.test'),
  junk('with an underscore', 'other_name.test'),
  junk('with a star', '*.test'),
  junk('with an encoded letter', '%6fther.test'),
  junk('with an encoded NUL', 'other.test%00'),
  junk('with an encoded at sign', 'me%40other.test'),
  junk('of 64 letters in a label', `${'a'.repeat(64)}.test`),
  junk('of 254 letters', `${'a.'.repeat(125)}test`),
  junk('in UTF-8', '\xc3\xbcber.test'),
  junk('in Latin-1', '\xfcber.test'),
  junk('with a wide dot', 'other\xe3\x80\x82test'),
  junk('with a NUL', 'other.test\0', 400),
  junk('with a tab', 'other.test\tx'),
  junk('with a bare CR', 'other.test\r', 400),
  junk('with a vertical tab', 'other.test\x0b', 400),
  junk('as one number', '2130706433:{port}'),
  junk('in octal', '0177.0.0.1:{port}'),
  junk('in hexadecimal', '0x7f.0.0.1:{port}'),
  junk('in hexadecimal, whole', '0x7f000001:{port}'),
  junk('as short as it goes', '127.1:{port}'),
  junk('of five numbers', '127.0.0.1.1:{port}'),
  junk('over 255', '127.0.0.256:{port}'),
  junk('with zeros before', '127.000.000.001:{port}'),
  junk('with a dot behind the address', '127.0.0.1.:{port}'),
  junk('of wide digits', '\xef\xbc\x91.0.0.1:{port}'),
  junk('of an open bracket', '[::1'),
  junk('of brackets around IPv4', '[127.0.0.1]:{port}'),
  junk('of IPv6 without brackets', '::1'),
  junk('of IPv6 with zeros', '[0:0:0:0:0:0:0:1]:{port}'),
  junk('of IPv6 with capitals', '[::FFFF]:{port}'),
  junk('of IPv4 in IPv6', '[::ffff:127.0.0.1]:{port}'),
  junk('of IPv6 with a zone', '[fe80::1%25lo]:{port}'),
  junk('of IPv6 and a word', '[::1]x'),
  junk('of brackets around nothing', '[]:{port}'),
  junk('of a later IP version', '[v1.a]:{port}'),

  named('that is right', '127.0.0.1:{port}', PERMIT),
  named('as one number', '2130706433:{port}', JUNK),
  named('in octal', '0177.0.0.1:{port}', JUNK),
  named('in hexadecimal', '0x7f000001:{port}', JUNK),
  named('as short as it goes', '127.1:{port}', JUNK),
  named('with a dot at its end', '127.0.0.1.:{port}', JUNK),
  named('of IPv4 in IPv6', '[::ffff:7f00:1]:{port}', 'scope_location'),
  named('of all interfaces', '0.0.0.0:{port}', 'scope_location'),
  named('with a port of zeros', '127.0.0.1:0{port}', JUNK),
  named('with an empty port', '127.0.0.1:', JUNK),
  named('with a port too high', '127.0.0.1:99999', JUNK),
  named('with a comma', '127.0.0.1:{port},127.0.0.2', JUNK),
  named('with an encoded letter', '%6cocalhost:{port}', JUNK),
  named('with an encoded NUL', '127.0.0.1%00:{port}', JUNK),
  named('with a NUL', '127.0.0.1\0.test:{port}', 400),
  named('in UTF-8', 'l\xc3\xb6calhost:{port}', 400),
  named('with an underscore', 'a_b.test:{port}', JUNK),
  named('that Host does not repeat', '127.0.0.1:{port}', OTHER, 'Host: other.test'),
  named('that Host repeats with a user', '127.0.0.1:{port}', JUNK, 'Host: me@{host}'),
  named('that Host repeats without a port', '127.0.0.1:{port}', OTHER, 'Host: 127.0.0.1'),
  named('that Host leaves out', '127.0.0.1:{port}', 'host_missing', 'X: y'),
  named('that Host leaves empty', '127.0.0.1:{port}', JUNK, 'Host:'),
]; // prettier-ignore
