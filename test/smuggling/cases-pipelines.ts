/** What stands behind a request on its connection: further requests, after answers of every kind (RFC 9112 §9.3). */
import { get, permit, PERMIT, post, request, SMUGGLED } from './row.ts';
import type { Row } from './row.ts';

const NO_GRANT = 'GET {base}/a HTTP/1.1\r\nHost: {host}\r\nWrit-Grant: x\r\n\r\n';
const DENIED_POST = (line: string, body: string): string =>
  `POST {base}/a HTTP/1.1\r\nHost: {host}\r\nWrit-Grant: x\r\n${line}\r\n\r\n${body}`;

export const pipelineRows: readonly Row[] = [
  ['two requests', get() + get(), [PERMIT, PERMIT]],
  ['twenty requests', get().repeat(20), Array.from({ length: 20 }, () => PERMIT)],
  ['a body between', get() + post('hello', 'Content-Length: 5') + get(), [PERMIT, permit('hello'), PERMIT]],
  ['chunks between', get() + post('5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked') + get(), [PERMIT, permit('hello'), PERMIT]],
  ['a HEAD before', request('HEAD', '/a', []) + get(), [PERMIT, PERMIT], { bodiless: true }],
  ['a denial before', NO_GRANT + get(), ['grant_malformed', PERMIT]],
  ['a denial between', get() + NO_GRANT + get(), [PERMIT, 'grant_malformed', PERMIT]],
  ['ten denials', NO_GRANT.repeat(10) + get(), [...Array.from({ length: 10 }, () => 'grant_malformed' as const), PERMIT]],
  ['a broken rule before', get('Expect: tea') + SMUGGLED, 'expect_unsupported'],
  ['a broken rule between', get() + get('Expect: tea') + SMUGGLED, [PERMIT, 'expect_unsupported']],
  ['what is not HTTP behind', `${get()}\0\0\0\0`, PERMIT, { goesOn: false }],
  ['what is not HTTP between', `${get()}\0\0\0\0${SMUGGLED}`, PERMIT, { goesOn: false }],
  ['what is not HTTP behind two', `${get()}${get()}smuggled`, [PERMIT, PERMIT], { goesOn: false }],
  ['a denial, and what is not HTTP', `${NO_GRANT}\0\0`, 'grant_malformed', { goesOn: false }],
  ['a request behind Connection: close', get('Connection: close') + SMUGGLED, PERMIT, { goesOn: false }],
  ['a request behind HTTP/1.0', `GET {base}/a HTTP/1.0\r\nHost: {host}\r\nWrit-Grant: {grant}\r\n\r\n${SMUGGLED}`, PERMIT, { goesOn: false }],

  ['a request in a body that is denied', DENIED_POST('Content-Length: {length}', SMUGGLED), 'grant_malformed'],
  ['a request behind a body that is denied', DENIED_POST('Content-Length: 5', `hello${get()}`), ['grant_malformed', PERMIT]],
  ['a request in chunks that are denied', DENIED_POST('Transfer-Encoding: chunked', `{length16}\r\n${SMUGGLED}\r\n0\r\n\r\n`), 'grant_malformed'],
  ['a request behind chunks that are denied', DENIED_POST('Transfer-Encoding: chunked', `0\r\n\r\n${get()}`), ['grant_malformed', PERMIT]],
  ['a request in broken chunks that are denied', DENIED_POST('Transfer-Encoding: chunked', `zz\r\n${SMUGGLED}`), 'grant_malformed', { goesOn: false }],
  ['a request in a body that is denied and expected', DENIED_POST('Expect: 100-continue\r\nContent-Length: {length}', SMUGGLED), 'grant_malformed', { goesOn: false }],
  ['a request instead of a body that is expected', DENIED_POST('Expect: 100-continue\r\nContent-Length: 5', SMUGGLED), 'grant_malformed', { goesOn: false }],
  ['a request behind a length of nothing that is denied', DENIED_POST('Content-Length: 0', get()), ['grant_malformed', PERMIT]],
  ['a body that is denied and never ends', DENIED_POST('Content-Length: 100000', SMUGGLED), 'grant_malformed', { goesOn: false }],
]; // prettier-ignore
