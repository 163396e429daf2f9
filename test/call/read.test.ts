import t from 'tap';
import { readCall } from '../../src/call/read.ts';
import { placeRoutes } from '../../src/call/route.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { forward, makeHead } from './heads.ts';
import type { HeadParts } from './heads.ts';

type Fault = (parts: HeadParts) => unknown;
type Row = readonly [name: string, fault: Fault, code: DenialCode];

const header =
  (name: string, value: string): Fault =>
  ({ headers }) =>
    headers.push([name, value]);

const refusals: readonly Row[] = [
  ['HTTP/0.9', (p) => (p.version = '0.9'), 'http_version_unsupported'],
  ['HTTP/2.0 in a start line', (p) => (p.version = '2.0'), 'http_version_unsupported'],
  ['101 headers', (p) => (p.headers = pad(100)), 'header_count'],
  ['2000 headers', (p) => (p.headers = pad(2000)), 'header_count'],
  ['a target over 8 KiB', (p) => (p.path = `/${'a'.repeat(8192)}`), 'target_too_large'],
  ['a head over 16 KiB', header('X-Long', 'a'.repeat(16_300)), 'head_too_large'],
  ['NUL in a value', header('X-A', 'a\0b'), 'header_invalid'],
  ['CR in a value', header('X-A', 'a\rb'), 'header_invalid'],
  ['LF in a value', header('X-A', 'a\nb'), 'header_invalid'],
  ['a folded value', header('X-A', 'a\r\n b'), 'header_invalid'],
  ['DEL in a value', header('X-A', '\x7f'), 'header_invalid'],
  ['a letter beyond latin1 in a value', header('X-A', 'Ā'), 'header_invalid'],
  ['an empty name', header('', 'a'), 'header_invalid'],
  ['a space in a name', header('X A', 'a'), 'header_invalid'],
  ['a space before the colon', header('Content-Length ', '1'), 'header_invalid'],
  ['two Hosts', header('host', 'api.example.com'), 'header_duplicate'],
  [
    'two Content-Lengths that agree',
    both(['Content-Length', '1'], ['content-length', '1']),
    'header_duplicate',
  ],
  [
    'two Transfer-Encodings',
    both(['Transfer-Encoding', 'chunked'], ['Transfer-Encoding', 'chunked']),
    'header_duplicate',
  ],
  ['two grants', both(['Writ-Grant', 'a'], ['writ-grant', 'a']), 'grant_ambiguous'],
  [
    'a grant in both headers',
    both(['Writ-Grant', 'a'], ['Proxy-Authorization', 'Bearer a']),
    'grant_ambiguous',
  ],
  [
    'two Proxy-Authorizations',
    both(['Proxy-Authorization', 'Bearer a'], ['Proxy-Authorization', 'Bearer b']),
    'grant_ambiguous',
  ],
  [
    'Content-Length with Transfer-Encoding',
    both(['Content-Length', '1'], ['Transfer-Encoding', 'chunked']),
    'framing_invalid',
  ],
  ['an empty Transfer-Encoding', header('Transfer-Encoding', ''), 'transfer_coding_unsupported'],
  ['Transfer-Encoding: ,chunked', header('Transfer-Encoding', ',chunked'), 'transfer_coding_unsupported'],
  [
    'Transfer-Encoding: gzip, chunked',
    header('Transfer-Encoding', 'gzip, chunked'),
    'transfer_coding_unsupported',
  ],
  ['Transfer-Encoding: Chunked', header('Transfer-Encoding', 'Chunked'), 'transfer_coding_unsupported'],
  ['Transfer-Encoding: identity', header('Transfer-Encoding', 'identity'), 'transfer_coding_unsupported'],
  ['Transfer-Encoding: xchunked', header('Transfer-Encoding', 'xchunked'), 'transfer_coding_unsupported'],
  [
    'chunked in HTTP/1.0',
    all(header('Transfer-Encoding', 'chunked'), (p) => (p.version = '1.0')),
    'transfer_coding_unsupported',
  ],
  ['Content-Length: 010', header('Content-Length', '010'), 'content_length_invalid'],
  ['Content-Length: +1', header('Content-Length', '+1'), 'content_length_invalid'],
  ['Content-Length: -1', header('Content-Length', '-1'), 'content_length_invalid'],
  ['Content-Length: 1, 1', header('Content-Length', '1, 1'), 'content_length_invalid'],
  ['Content-Length: 0x1', header('Content-Length', '0x1'), 'content_length_invalid'],
  ['Content-Length: 1.0', header('Content-Length', '1.0'), 'content_length_invalid'],
  ['an empty Content-Length', header('Content-Length', ''), 'content_length_invalid'],
  ['a Content-Length over 2^53', header('Content-Length', '9007199254740992'), 'content_length_invalid'],
  ['writ_grant', header('writ_grant', 'a'), 'header_lookalike'],
  ['Content_Length', header('Content_Length', '1'), 'header_lookalike'],
  ['Transfer_Encoding', header('Transfer_Encoding', 'chunked'), 'header_lookalike'],
  ['X_Forwarded_For', header('X_Forwarded_For', '127.0.0.1'), 'header_lookalike'],
  ['X-HTTP_Method-Override', header('X-HTTP_Method-Override', 'PUT'), 'header_lookalike'],
  ['the twin of a header in the same head', both(['X-Api-Key', 'a'], ['X_Api_Key', 'b']), 'header_lookalike'],
  ['trailers announced', header('Trailer', 'Writ-Grant'), 'trailers_unsupported'],
  ['Expect: y 100-continue', header('Expect', 'y 100-continue'), 'expect_unsupported'],
  ['Expect twice', both(['Expect', '100-continue'], ['Expect', '100-continue']), 'expect_unsupported'],
  ['a method in small letters', (p) => (p.method = 'get'), 'method_invalid'],
  ['a method with a space', (p) => (p.method = 'GET '), 'method_invalid'],
  ['an empty method', (p) => (p.method = ''), 'method_invalid'],
  ['UPGRADE, an action and no method', (p) => (p.method = 'UPGRADE'), 'method_invalid'],
  ['PRI, the HTTP/2 preface', (p) => (p.method = 'PRI'), 'method_invalid'],
  ['a space in the target', (p) => (p.tail = '?a b'), 'target_invalid'],
  ['a tab in the target', (p) => (p.tail = '?\t'), 'target_invalid'],
  ['a NUL in the target', (p) => (p.path = '/\0'), 'target_invalid'],
  ['a byte beyond ASCII in the target', (p) => (p.path = '/é'), 'target_invalid'],
  ['a fragment', (p) => (p.tail = '#x'), 'target_fragment'],
  ['a fragment in the query', (p) => (p.tail = '?a#x'), 'target_fragment'],
  ['no Host in HTTP/1.1', (p) => (p.host = undefined), 'host_missing'],
  ['an empty Host', (p) => (p.host = ''), 'host_invalid'],
  ['a Host with userinfo', (p) => (p.host = 'a@api.example.com'), 'host_invalid'],
  ['a Host with a path', (p) => (p.host = 'api.example.com/'), 'host_invalid'],
  ['two names in one Host', (p) => (p.host = 'api.example.com, b'), 'host_invalid'],
  ['origin-form', (p) => (p.target = '/a/b'), 'target_absolute_required'],
  ['a network path', (p) => (p.target = '//admin/a'), 'target_absolute_required'],
  ['asterisk-form', (p) => ((p.method = 'OPTIONS'), (p.target = '*')), 'target_absolute_required'],
  ['authority-form without CONNECT', (p) => (p.target = 'api.example.com:80'), 'target_absolute_required'],
  [
    'an absolute target without slashes',
    (p) => (p.target = 'http:api.example.com'),
    'target_absolute_required',
  ],
  ['https in the clear', (p) => (p.scheme = 'https'), 'target_https_absolute'],
  ['another scheme', (p) => (p.scheme = 'ftp'), 'target_invalid'],
  ['a scheme in capitals', (p) => (p.scheme = 'HTTP'), 'target_invalid'],
  [
    'asterisk-form in disguise',
    (p) => ((p.method = 'OPTIONS'), (p.path = ''), (p.tail = '')),
    'target_invalid',
  ],
  ['userinfo', (p) => (p.userinfo = 'a:b@'), 'target_userinfo'],
  ['empty userinfo', (p) => (p.userinfo = '@'), 'target_userinfo'],
  ['an empty authority', (p) => (p.authority = ''), 'host_invalid'],
  ['a percent in the host', (p) => (p.authority = 'api%2eexample.com'), 'host_invalid'],
  ['a backslash in the authority', (p) => (p.authority = 'a.test\\@api.example.com'), 'target_userinfo'],
  ['another Host', (p) => (p.host = 'b.example.com'), 'authority_mismatch'],
  ['another port in Host', (p) => (p.host = 'api.example.com:8080'), 'authority_mismatch'],
  ['dots that leave', (p) => (p.path = '/a/../b'), 'path_dot_segment'],
  ['a method override', header('X-HTTP-Method-Override', 'DELETE'), 'method_override'],
  ['a second kind of method override', header('X-HTTP-Method', 'DELETE'), 'method_override'],
  ['a third kind of method override', header('X-Method-Override', 'DELETE'), 'method_override'],
  ['a URL override', header('X-Original-URL', '/admin'), 'method_override'],
  ['a second kind of URL override', header('X-Rewrite-URL', '/admin'), 'method_override'],
  ['half a handshake', both(['Connection', 'Upgrade'], ['Upgrade', 'websocket']), 'upgrade_invalid'],
  ['an upgrade to h2c', header('Upgrade', 'h2c'), 'upgrade_unsupported'],
  [
    'CONNECT with a body',
    (p) => {
      p.method = 'CONNECT';
      p.target = p.host = 'api.example.com:443';
      p.headers.push(['Content-Length', '1']);
    },
    'framing_invalid',
  ],
  [
    'CONNECT with another Host',
    (p) => ((p.method = 'CONNECT'), (p.target = 'api.example.com:443'), (p.host = 'b.test:443')),
    'authority_mismatch',
  ],
  [
    'CONNECT without a port',
    (p) => ((p.method = 'CONNECT'), (p.target = 'api.example.com')),
    'target_invalid',
  ],
  [
    'CONNECT with a path',
    (p) => ((p.method = 'CONNECT'), (p.target = 'api.example.com:443/')),
    'host_invalid',
  ],
  ['CONNECT with userinfo', (p) => ((p.method = 'CONNECT'), (p.target = 'a@b.test:443')), 'target_userinfo'],
  ['CONNECT to a URL', (p) => ((p.method = 'CONNECT'), (p.target = 'http://b.test:443')), 'host_invalid'],
];

for (const [name, fault, code] of refusals) {
  t.test(`${name} is refused with ${code}`, async (t) => {
    const call = readCall(makeHead(fault), forward);
    t.match(call, { ok: false, code });
  });
}

/** One fault of each rule, in the order of the rules. */
const ordered: readonly Row[] = [
  ['version', (p) => (p.version = '3'), 'http_version_unsupported'],
  ['count', (p) => p.headers.unshift(...pad(101)), 'header_count'],
  ['target size', (p) => (p.tail += `?${'a'.repeat(8192)}`), 'target_too_large'],
  ['head size', header('X-Long', 'a'.repeat(17_000)), 'head_too_large'],
  ['bytes', header('X-A', '\0'), 'header_invalid'],
  ['duplicate', header('Host', 'b.test'), 'header_duplicate'],
  ['grants', both(['Writ-Grant', 'a'], ['Writ-Grant', 'b']), 'grant_ambiguous'],
  ['framing', header('Content-Length', '01'), 'content_length_invalid'],
  ['lookalike', header('writ_grant', 'a'), 'header_lookalike'],
  ['trailer', header('Trailer', 'a'), 'trailers_unsupported'],
  ['expect', header('Expect', 'a'), 'expect_unsupported'],
  ['method', (p) => (p.method = 'get'), 'method_invalid'],
  ['fragment', (p) => (p.tail += '#a'), 'target_fragment'],
  ['host', (p) => (p.host = 'a b'), 'host_invalid'],
  ['scheme', (p) => (p.scheme = 'https'), 'target_https_absolute'],
  ['userinfo', (p) => (p.userinfo = 'a@'), 'target_userinfo'],
  ['mismatch', (p) => (p.authority = 'b.test'), 'authority_mismatch'],
  ['path', (p) => (p.path = '/..'), 'path_dot_segment'],
  ['override', header('X-HTTP-Method', 'PUT'), 'method_override'],
  ['upgrade', header('Upgrade', 'h2c'), 'upgrade_unsupported'],
];

t.test('of two faults, the rule that stands first in the order names the refusal', async (t) => {
  for (const [i, [first, one, code]] of ordered.entries())
    for (const [second, other] of ordered.slice(i + 1)) {
      const call = readCall(makeHead(all(other, one)), forward);
      t.match(call, { ok: false, code }, `${first} before ${second}`);
    }
});

t.test('a good call carries exactly what will be forwarded', async (t) => {
  const head = makeHead((p) => {
    p.method = 'POST';
    p.headers.push(['Content-Length', '5'], ['Expect', '100-Continue'], ['Writ-Grant', 'token']);
    p.headers.push(['Connection', 'close, X-Hop'], ['X-Hop', '1'], ['Keep-Alive', '1'], ['TE', 'trailers']);
    p.headers.push(['X-Forwarded-For', '1.2.3.4'], ['Forwarded', 'for=1'], ['Writ-Decision', 'permit']);
    p.headers.push(['Proxy-Connection', 'close'], ['Authorization', 'Bearer x'], ['Set', 'a'], ['Set', 'b']);
  });
  const call = readCall(head, forward);
  t.same(call, {
    ok: true,
    value: {
      ...{
        id: forward.id,
        salt: forward.salt,
        carrier: 'forward',
        action: 'POST',
        method: 'POST',
        scheme: 'http',
      },
      ...{ host: 'api.example.com', port: 80, origin: 'http://api.example.com', path: '/a/b' },
      ...{ segments: ['a', 'b'], query: 'x=1', framing: { kind: 'length', bytes: 5 } },
      headers: [
        ['host', 'api.example.com'],
        ['accept', '*/*'],
        ['authorization', 'Bearer x'],
        ['set', 'a'],
        ['set', 'b'],
        ['traceparent', '00-0191b3c45d6e7f809a1b2c3d4e5f6071-9a1b2c3d4e5f6071-00'],
      ],
      credential: { from: 'writ-grant', text: 'token' },
      trace: '00-0191b3c45d6e7f809a1b2c3d4e5f6071-9a1b2c3d4e5f6071-00',
    },
  });
});

/** What the sidecar answers, writes itself, or believes from nobody, as an agent may send it. */
const kept: readonly (readonly [string, string])[] = [
  ['Connection', 'keep-alive'],
  ['Content-Length', '0'],
  ['Expect', '100-continue'],
  ['Forwarded', 'for=1'],
  ['HTTP2-Settings', 'AAMAAABk'],
  ['Keep-Alive', 'timeout=5'],
  ['Proxy-Authenticate', 'Basic'],
  ['Proxy-Authentication-Info', 'x'],
  ['Proxy-Authorization', 'Bearer token'],
  ['Proxy-Connection', 'keep-alive'],
  ['TE', 'trailers'],
  ['Traceparent', '00-x'],
  ['Transfer-Encoding', 'chunked'],
  ['Writ-Decision', 'permit'],
  ['Writ-Grant', 'token'],
  ['X-Forwarded-For', '1.2.3.4'],
  ['X-Forwarded-Host', 'other.test'],
  ['X-Real-IP', '1.2.3.4'],
];

t.test('what is not for the upstream is kept from it, whatever else is sent', async (t) => {
  const plain = readCall(makeHead(), forward);
  for (const [name, value] of kept) {
    const call = readCall(makeHead(header(name, value)), forward);
    t.same(call.ok && call.value.headers, plain.ok && plain.value.headers, name);
  }
});

t.test('a body in chunks is framed so', async (t) => {
  const call = readCall(makeHead(header('Transfer-Encoding', 'chunked')), forward);
  t.match(call, { ok: true, value: { framing: { kind: 'chunked' } } });
});

t.test('a Connection header cannot take away what guards the call', async (t) => {
  const call = readCall(
    makeHead((p) =>
      p.headers.push(
        ['Connection', 'host, writ-grant, content-length'],
        ['Writ-Grant', 'a'],
        ['Content-Length', '3'],
      ),
    ),
    forward,
  );
  t.match(call, { ok: true, value: { credential: { text: 'a' }, framing: { bytes: 3 } } });
});

t.test('what other clients send passes', async (t) => {
  const good: readonly (readonly [string, Fault])[] = [
    ['100 headers', (p) => (p.headers = pad(99))],
    [
      'a target of exactly 8 KiB',
      (p) => (p.path = `/${'a'.repeat(8192 - 'http://api.example.com/?x=1'.length)}`),
    ],
    ['HTTP/1.0 without Host', (p) => ((p.version = '1.0'), (p.host = undefined))],
    ['a host in capitals', (p) => (p.authority = 'API.example.COM')],
    ['the default port in Host', (p) => (p.host = 'api.example.com:80')],
    ['an empty path', (p) => ((p.path = ''), (p.tail = ''))],
    ['an empty path with a query', (p) => (p.path = '')],
    ['an empty query', (p) => (p.tail = '?')],
    ['a query with characters outside RFC 3986', (p) => (p.tail = '?a[]=|^"{}\\..//')],
    ['underscores in other names', header('X_Custom', '1')],
    ['latin1 in a value', header('X-A', 'é')],
    ['an empty value', header('X-A', '')],
    ['__proto__ as a name', header('__proto__', '1')],
    ['constructor as a name', header('constructor', '1')],
  ];
  for (const [name, fault] of good) t.match(readCall(makeHead(fault), forward), { ok: true }, name);
});

t.test('a named method override passes, and shows in the call', async (t) => {
  const rules = { overrides: ['x-http-method-override'] };
  const origins = new Map([['http://api.example.com', rules]]);
  const read = (...headers: [string, string][]): unknown =>
    readCall(
      makeHead((p) => p.headers.push(...headers)),
      { ...forward, origins },
    );
  t.match(read(['X-HTTP-Method-Override', 'PATCH']), {
    ok: true,
    value: { method: 'GET', override: 'PATCH' },
  });
  t.match(read(['X-HTTP-Method-Override', 'patch']), { ok: false, code: 'method_override' });
  t.match(read(['X-HTTP-Method', 'PATCH']), { ok: false, code: 'method_override' });
  t.match(read(['X-HTTP-Method-Override', 'GET'], ['X-HTTP-Method-Override', 'PUT']), {
    code: 'method_override',
  });
  t.throws(
    () => placeRoutes([{ upstream: 'http://a.test', overrides: ['x-original-url'] }]),
    /x-original-url/,
  );
});

function pad(count: number): [string, string][] {
  return Array.from({ length: count }, (_, i) => [`X-${i}`, '1']);
}

function both(...headers: [string, string][]): Fault {
  return (parts) => parts.headers.push(...headers);
}

function all(...faults: readonly Fault[]): Fault {
  return (parts) => faults.forEach((fault) => fault(parts));
}
