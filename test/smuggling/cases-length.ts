/** `Content-Length` in all its spellings (RFC 9110 §8.6, RFC 9112 §6.3). */
import type { DenialCode } from '../../src/denial/table.ts';
import { get, permit, PERMIT, post, request, SMUGGLED, whole } from './row.ts';
import type { Row } from './row.ts';

const BODY = 'hello';

/** A header line that passes with the body `hello`. */
const fine = (name: string, line: string): Row => [name, post(BODY, line), permit(BODY)];

/** A line that is refused; what follows would be a request to who reads it as a length of nothing. */
const refused = (name: string, line: string, answer: DenialCode | 400): Row => [
  name,
  post(SMUGGLED, line),
  answer,
];

export const lengthRows: readonly Row[] = [
  fine('a length', 'Content-Length: 5'),
  fine('a length without a space', 'Content-Length:5'),
  fine('a length after a tab', 'Content-Length:\t5'),
  fine('a length after many spaces', 'Content-Length:     5'),
  fine('a length before a space', 'Content-Length: 5 '),
  fine('a length before a tab', 'Content-Length: 5\t'),
  fine('a length in capitals', 'CONTENT-LENGTH: 5'),
  fine('a length that Connection lists', 'Connection: content-length\r\nContent-Length: 5'),
  ['a length of nothing', post('', 'Content-Length: 0'), PERMIT],
  ['a length of nothing, and a request', post(SMUGGLED, 'Content-Length: 0'), [PERMIT, PERMIT]],
  ['no length, and a request', post(SMUGGLED), [PERMIT, PERMIT]],
  ['a GET with a body', request('GET', '/a', ['Content-Length: 5'], BODY), permit(BODY)],
  ['a HEAD with a body', request('HEAD', '/a', ['Content-Length: 5'], BODY), permit(BODY), { bodiless: true }],
  ['a request as the body', post(SMUGGLED, 'Content-Length: {length}'), permit(SMUGGLED)],
  ['a body shorter than its length', post('hel', 'Content-Length: 5'), 'broken', { ending: 'fin' }],
  ['a body longer than its length', post('hello\0\0', 'Content-Length: 5'), 'garbled'],
  ['a length that never comes', post(BODY, 'Content-Length: 9007199254740991'), 'broken', { ending: 'fin' }],

  refused('two equal lengths', 'Content-Length: 5\r\nContent-Length: 5', 400),
  refused('two lengths', 'Content-Length: 0\r\nContent-Length: 5', 400),
  refused('two lengths, the other way', 'Content-Length: 5\r\nContent-Length: 0', 400),
  refused('two lengths with another header between', 'Content-Length: 0\r\nX: y\r\ncontent-length: 5', 400),
  refused('a list of lengths', 'Content-Length: 5, 5', 400),
  refused('a list of one', 'Content-Length: 5,', 400),
  refused('a list without its first', 'Content-Length: ,5', 400),
  refused('two in one', 'Content-Length: 5 5', 400),
  refused('a plus', 'Content-Length: +5', 400),
  refused('a minus', 'Content-Length: -5', 400),
  refused('minus nothing', 'Content-Length: -0', 400),
  refused('a leading zero', 'Content-Length: 05', 'content_length_invalid'),
  refused('many leading zeros', 'Content-Length: 0000000000000005', 'content_length_invalid'),
  refused('nothing, twice', 'Content-Length: 00', 'content_length_invalid'),
  refused('hexadecimal', 'Content-Length: 0x5', 400),
  refused('hexadecimal without a mark', 'Content-Length: a', 400),
  refused('octal', 'Content-Length: 0o5', 400),
  refused('a fraction', 'Content-Length: 5.0', 400),
  refused('an exponent', 'Content-Length: 5e0', 400),
  refused('an underscore', 'Content-Length: 1_0', 400),
  refused('a parameter', 'Content-Length: 5;a', 400),
  refused('quotes', 'Content-Length: "5"', 400),
  refused('an empty length', 'Content-Length:', 400),
  refused('a length of spaces', 'Content-Length:  \t ', 400),
  refused('digits of another script', 'Content-Length: \xd9\xa5', 400),
  refused('a vertical tab before', 'Content-Length: \x0b5', 400),
  refused('a vertical tab behind', 'Content-Length: 5\x0b', 400),
  refused('a form feed before', 'Content-Length: \x0c5', 400),
  refused('a form feed behind', 'Content-Length: 5\x0c', 400),
  refused('a no-break space before', 'Content-Length: \xa05', 400),
  refused('a next-line character behind', 'Content-Length: 5\x85', 400),
  refused('a NUL behind', 'Content-Length: 5\0', 400),
  refused('more than 2^53', 'Content-Length: 9007199254740993', 'content_length_invalid'),
  refused('more than 2^64', 'Content-Length: 18446744073709551616', 400),
  refused('2^64 and five', 'Content-Length: 18446744073709551621', 400),
  refused('a hundred digits', `Content-Length: ${'9'.repeat(100)}`, 400),
  refused('a folded length', 'Content-Length:\r\n 5', 400),
  refused('a length that goes on after a fold', 'Content-Length: 5\r\n 5', 400),
  refused('a space before the colon', 'Content-Length : 5', 400),
  refused('a tab before the colon', 'Content-Length\t: 5', 400),
  refused('a vertical tab in the name', 'Content-Length\x0b: 5', 400),
  refused('a NUL in the name', 'Content-\0Length: 5', 400),
  refused('a CR in the name', 'Content-Length\r: 5', 400),
  refused('a vertical tab before the name', '\x0bContent-Length: 5', 400),
  refused('a form feed before the name', '\x0cContent-Length: 5', 400),
  refused('a length behind a bare LF', 'X: y\nContent-Length: 5', 400),
  refused('a length behind a bare CR', 'X: y\rContent-Length: 5', 400),
  refused('a twin', 'Content_Length: 5', 'header_lookalike'),
  refused('a twin beside it', 'Content-Length: 0\r\nContent_Length: 5', 'header_lookalike'),
  ['a folded first line', whole('POST {base}/a HTTP/1.1', [' Content-Length: 5', 'Host: {host}'], BODY), 400],
  ['a length that only Connection names', get('Connection: content-length', 'Connection: close'), PERMIT, { goesOn: false }],
]; // prettier-ignore
