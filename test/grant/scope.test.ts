import t from 'tap';
import type { Call } from '../../src/call/call.ts';
import { readCall } from '../../src/call/read.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import type { Grant } from '../../src/grant/grant.ts';
import { coverCall, coverContent, matchesPath } from '../../src/grant/scope.ts';
import { forward, makeHead } from '../call/heads.ts';
import type { HeadParts } from '../call/heads.ts';
import { entry, makeToken, makeVerifier, NOW } from './tokens.ts';

function grantOf(...entries: readonly Record<string, unknown>[]): Grant {
  const text = makeToken(({ payload }) => (payload['authorization_details'] = entries));
  const verified = makeVerifier().verify({ from: 'writ-grant', text }, NOW * 1000, undefined);
  if (!verified.ok) throw new Error(verified.detail);
  return verified.value;
}

function callOf(change: (parts: HeadParts) => unknown = () => {}): Call {
  const origins = new Map([['http://api.example.com', { overrides: ['x-http-method'] }]]);
  const call = readCall(
    makeHead((parts) => void change(parts)),
    { ...forward, origins },
  );
  if (!call.ok) throw new Error(call.detail);
  return call.value;
}

const elsewhere = entry({ locations: ['http://b.test'] });

const refusals: readonly (readonly [
  name: string,
  entries: readonly Record<string, unknown>[],
  change: (parts: HeadParts) => unknown,
  code: DenialCode,
])[] = [
  ['another host', [entry()], (p) => (p.authority = p.host = 'b.test'), 'scope_location'],
  ['another port', [entry()], (p) => (p.authority = p.host = 'api.example.com:81'), 'scope_location'],
  ['another scheme', [entry({ locations: ['https://api.example.com'] })], () => {}, 'scope_location'],
  ['another method', [entry()], (p) => (p.method = 'POST'), 'scope_action'],
  ['HEAD where only GET is granted', [entry()], (p) => (p.method = 'HEAD'), 'scope_action'],
  [
    'an override that is not granted',
    [entry()],
    (p) => p.headers.push(['X-HTTP-Method', 'DELETE']),
    'scope_action',
  ],
  [
    'a method that only its override grants',
    [entry({ actions: ['DELETE'] })],
    (p) => p.headers.push(['X-HTTP-Method', 'DELETE']),
    'scope_action',
  ],
  ['another path', [entry({ paths: ['/b/**', '/a'] })], () => {}, 'scope_path'],
  [
    'a longer body',
    [entry({ max_request_bytes: 4 })],
    (p) => p.headers.push(['Content-Length', '5']),
    'scope_request_bytes',
  ],
  ['the entry that came closest', [entry({ paths: ['/b'] }), elsewhere], () => {}, 'scope_path'],
  ['no mixture of entries', [entry({ actions: ['POST'] }), elsewhere], () => {}, 'scope_action'],
];

for (const [name, entries, change, code] of refusals) {
  t.test(`${name}: ${code}`, async (t) => {
    t.match(coverCall(grantOf(...entries), callOf(change)), { ok: false, code });
  });
}

t.test('the first entry that covers all of a call is the covering one', async (t) => {
  const grant = grantOf(elsewhere, entry({ paths: ['/a/**'], max_calls: 2 }), entry());
  t.match(coverCall(grant, callOf()), {
    ok: true,
    value: { index: 1, needsBody: false, entry: { max_calls: 2 } },
  });
  t.match(
    coverCall(
      grant,
      callOf((p) => (p.path = '/b')),
    ),
    { ok: true, value: { index: 2 } },
  );
});

t.test('an override is covered where both methods are', async (t) => {
  const change = (p: HeadParts): unknown => p.headers.push(['X-HTTP-Method', 'DELETE']);
  t.match(coverCall(grantOf(entry({ actions: ['GET', 'DELETE'] })), callOf(change)), { ok: true });
});

t.test('a body is asked for only by an entry that covers all else', async (t) => {
  const content_sha256 = 'a'.repeat(64);
  t.match(coverCall(grantOf(entry({ content_sha256 })), callOf()), { ok: true, value: { needsBody: true } });
  t.match(coverCall(grantOf(entry({ content_sha256, paths: ['/b'] }), entry()), callOf()), {
    ok: true,
    value: { index: 1, needsBody: false },
  });
});

t.test(
  'with the body read, the first entry that covers it counts: by its digest, or by binding none',
  async (t) => {
    const [first, second, other] = ['a', 'b', 'c'].map((letter) => letter.repeat(64));
    if (!first || !second || !other) throw new Error('three digests');
    const bound = grantOf(entry({ content_sha256: first }), entry({ content_sha256: second }));
    t.match(coverContent(bound, callOf(), { sha256: first, length: 3 }), { ok: true, value: { index: 0 } });
    t.match(coverContent(bound, callOf(), { sha256: second, length: 3 }), { ok: true, value: { index: 1 } });
    t.match(coverContent(bound, callOf(), { sha256: other, length: 3 }), {
      ok: false,
      code: 'scope_content',
    });
    const free = grantOf(entry({ content_sha256: first }), entry({ paths: ['/elsewhere'] }), entry());
    t.match(coverContent(free, callOf(), { sha256: other, length: 3 }), { ok: true, value: { index: 2 } });
  },
);

t.test('once it is read, a chunked body has a length, too', async (t) => {
  const content_sha256 = 'a'.repeat(64);
  const grant = grantOf(entry({ content_sha256, max_request_bytes: 5 }));
  const call = callOf(({ headers }) => headers.push(['Transfer-Encoding', 'chunked']));
  t.match(coverCall(grant, call), { ok: true, value: { needsBody: true } });
  t.match(coverContent(grant, call, { sha256: content_sha256, length: 5 }), { ok: true });
  t.match(coverContent(grant, call, { sha256: content_sha256, length: 6 }), {
    ok: false,
    code: 'scope_content',
  });
});

t.test('a body of the very length is covered, and a chunked one is left to its lease', async (t) => {
  const grant = grantOf(entry({ max_request_bytes: 5 }));
  t.match(
    coverCall(
      grant,
      callOf((p) => p.headers.push(['Content-Length', '5'])),
    ),
    { ok: true },
  );
  t.match(
    coverCall(
      grant,
      callOf((p) => p.headers.push(['Transfer-Encoding', 'chunked'])),
    ),
    { ok: true },
  );
});

const patterns: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
  ['/', '/', true],
  ['/', '/a', false],
  ['/a', '/a', true],
  ['/a', '/a/', false],
  ['/a', '/A', false],
  ['/*', '/a', true],
  ['/*', '/', false],
  ['/*', '/a/b', false],
  ['/a/*/c', '/a/b/c', true],
  ['/a/*/c', '/a/c', false],
  ['/**', '/', true],
  ['/**', '/a/b', true],
  ['/a/**', '/a', false],
  ['/a/**', '/a/', true],
  ['/a/**', '/a/b/c', true],
  ['/a/**', '/ab/c', false],
  ['/a/*/**', '/a/b/c', true],
  ['/a/*/**', '/a/b', false],
];

for (const [pattern, path, matches] of patterns) {
  t.test(`${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, async (t) => {
    t.equal(matchesPath(pattern.slice(1).split('/'), path.slice(1).split('/')), matches);
  });
}

t.test(
  'what nobody can read is its own action, and no entry that binds what is inside covers it',
  async (t) => {
    const rows: readonly (readonly [string, Record<string, unknown>, string, DenialCode | undefined])[] = [
    ['CONNECT granted', { actions: ['CONNECT'] }, 'CONNECT', undefined],
    ['CONNECT not granted', { actions: ['GET', 'UPGRADE'] }, 'CONNECT', 'scope_action'],
    ['CONNECT with paths', { actions: ['CONNECT'], paths: ['/**'] }, 'CONNECT', 'scope_path'],
    ['CONNECT with content', { actions: ['CONNECT'], content_sha256: 'a'.repeat(64) }, 'CONNECT', 'scope_content'],
    ['CONNECT with tools', { actions: ['CONNECT'], mcp_tools: ['a'] }, 'CONNECT', 'scope_content'],
    ['UPGRADE granted, with paths', { actions: ['UPGRADE'], paths: ['/a/b'] }, 'UPGRADE', undefined],
    ['UPGRADE not granted', { actions: ['GET', 'CONNECT'] }, 'UPGRADE', 'scope_action'],
    ['UPGRADE with content', { actions: ['UPGRADE'], content_sha256: 'a'.repeat(64) }, 'UPGRADE', 'scope_content'],
    ['UPGRADE with tools', { actions: ['UPGRADE'], mcp_tools: ['a'] }, 'UPGRADE', 'scope_content'],
  ]; // prettier-ignore
    for (const [name, members, action, code] of rows) {
      const covered = coverCall(grantOf(entry(members)), { ...callOf(), action });
      t.match(covered, code ? { ok: false, code } : { ok: true }, name);
    }
  },
);
