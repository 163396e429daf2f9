import t from 'tap';
import type { Credential } from '../../src/call/call.ts';
import { placeOf } from '../../src/call/host.ts';
import { readCall } from '../../src/call/read.ts';
import type { CallContext } from '../../src/call/read.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { forward, makeHead } from './heads.ts';
import type { HeadParts } from './heads.ts';

const credential: Credential = { from: 'proxy-authorization', text: 'Bearer a.b.c' };
const place = placeOf('https', { host: 'api.example.com', port: undefined });
const inside: CallContext = { ...forward, carrier: 'connect', tunnel: { place, credential } };

function head(change: (parts: HeadParts) => unknown = () => {}) {
  return makeHead((parts) => {
    parts.target = '/a/b?x=1';
    change(parts);
  });
}

t.test('a request inside a tunnel goes where the tunnel goes', async (t) => {
  const call = readCall(head(), inside);
  t.match(call, { ok: true, value: { ...place, carrier: 'connect', path: '/a/b', query: 'x=1' } });
  t.match(call, { ok: true, value: { action: 'GET', headers: [['host', 'api.example.com']] } });
});

t.test('the grant of the CONNECT covers it, unless it brings its own', async (t) => {
  t.match(readCall(head(), inside), { value: { credential } });
  const own = readCall(
    head((p) => p.headers.push(['Writ-Grant', 'x.y.z'])),
    inside,
  );
  t.match(own, { value: { credential: { from: 'writ-grant', text: 'x.y.z' } } });
  t.match(readCall(head(), { ...inside, tunnel: { place } }), { ok: true, value: { credential: undefined } });
});

const refusals: readonly (readonly [string, (parts: HeadParts) => unknown, DenialCode])[] = [
  ['another Host', (p) => (p.host = 'b.test'), 'authority_mismatch'],
  ['another port in Host', (p) => (p.host = 'api.example.com:8443'), 'authority_mismatch'],
  ['no Host in HTTP/1.1', (p) => (p.host = undefined), 'host_missing'],
  ['absolute-form', (p) => (p.target = 'https://api.example.com/a'), 'target_origin_required'],
  ['asterisk-form', (p) => ((p.method = 'OPTIONS'), (p.target = '*')), 'target_origin_required'],
  ['a path with dots', (p) => (p.target = '/a/../b'), 'path_dot_segment'],
  ['a second CONNECT', (p) => ((p.method = 'CONNECT'), (p.target = 'b.test:443')), 'tunnel_unsupported'],
  [
    'two grants',
    (p) => p.headers.push(['Writ-Grant', 'a'], ['Proxy-Authorization', 'Bearer a']),
    'grant_ambiguous',
  ],
];

t.test('what breaks the rules inside a tunnel has a code', async (t) => {
  for (const [name, change, code] of refusals)
    t.match(readCall(head(change), inside), { ok: false, code }, name);
});

t.test('a connection that stands for nothing carries no call', async (t) => {
  for (const carrier of ['connect', 'transparent'] as const)
    t.match(readCall(head(), { ...forward, carrier }), { ok: false, code: 'authority_mismatch' });
});

t.test('rules of an origin hold inside its tunnels', async (t) => {
  const encoded = head((p) => (p.target = '/a%2fb'));
  t.match(readCall(encoded, inside), { code: 'path_encoded_slash' });
  const origins = new Map([[place.origin, { encoded_slash: 'segment' as const }]]);
  t.match(readCall(encoded, { ...inside, origins }), { ok: true, value: { segments: ['a/b'] } });
});
