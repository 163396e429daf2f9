/** Cases of HTTP/1 that HTTP/2 can say as well. */
import { BASE } from './http2-row.ts';
import type { Http2Row } from './http2-row.ts';
import type { Expected, Row } from './row.ts';

/** What nghttp2 lets pass for an authority, and for a path. */
const AUTHORITY = /^[\w\-.~!$&'()*+,;=:%[\]]+$/;
const PATH = /^[\x21-\x7e\x80-\xff]+$/;
/** These belong to a connection, or to a body. */
const UNSAID = new Set(
  'connection keep-alive proxy-connection upgrade te trailer content-length transfer-encoding'.split(' '),
);
/** So many fields, and octets beside the grant, are judged by `http2Rows`, or not even a frame. */
const [MOST_FIELDS, MOST_OCTETS] = [100, 15_000];

/** Those of them, each once, that are one GET with one `Host` and whose answer is as clear over HTTP/2. */
export function http2Of(rows: readonly Row[]): readonly Http2Row[] {
  const said = new Map<string, Http2Row>();
  for (const [name, bytes, usual, { on = {} } = {}] of rows) {
    const fields = fieldsOf(bytes);
    if (!fields || fields.length > 2 * MOST_FIELDS) continue;
    const expected = answerTo(fields, usual);
    if (expected === null) continue;
    const elsewhere = Object.entries(on).map(([way, answer]) => [way, answerTo(fields, answer)] as const);
    said.set(JSON.stringify(fields), [name, fields, expected, { on: Object.fromEntries(elsewhere) }]);
  }
  return [...said.values()];
}

/** The fields of a request; undefined where they would not say the same. */
function fieldsOf(bytes: string): readonly string[] | undefined {
  const [, path, lines = ''] = /^GET \{base\}([^\r\n]*) HTTP\/1\.1\r\n(.*)\r\n\r\n$/s.exec(bytes) ?? [];
  const fields = lines.split('\r\n').map((line) => /^([^:\s]+): ?(.*)$/s.exec(line)?.slice(1));
  if (path === undefined || fields.includes(undefined)) return undefined;
  const pairs = fields.map(([name = '', value = ''] = []) => [name.toLowerCase(), value] as const);
  const hosts = pairs.filter(([name]) => name === 'host');
  if (hosts.length !== 1 || pairs.some(([name]) => UNSAID.has(name))) return undefined;
  const rest = pairs.filter(([name]) => name !== 'host');
  return [...BASE.with(5, hosts[0]?.[1] ?? '').with(7, path), ...rest.flat()];
}

/** Null: HTTP/2 has an answer of its own, in `http2Rows`. */
function answerTo(fields: readonly string[], answer: Expected): Expected {
  const [authority = '', path = ''] = [fields[5], fields[7]];
  if (!AUTHORITY.test(fillers(authority)) || !PATH.test(path) || fields.join('').length > MOST_OCTETS)
    return 'broken';
  if (answer === 400) return /[\x80-\xff]/.test(path) ? 'target_invalid' : null;
  return answer === 'authority_mismatch' ? null : answer;
}

/** An authority with something for its placeholders. */
function fillers(authority: string): string {
  return authority.replaceAll(/\{\w+\}/g, 'x');
}
