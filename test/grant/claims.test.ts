import t from 'tap';
import type { Json, JsonObject } from '../../src/crypto/json.ts';
import { readClaims } from '../../src/grant/claims.ts';
import { entry, makeToken, NOW } from './tokens.ts';

const good = JSON.parse(Buffer.from(makeToken().split('.')[1] ?? '', 'base64url').toString()) as JsonObject;

const faults: readonly (readonly [name: string, members: Readonly<Record<string, Json | undefined>>])[] = [
  ['iss is no URI', { iss: 'authority' }],
  ['iss has a space', { iss: 'urn:a b' }],
  ['sub is missing', { sub: undefined }],
  ['sub is empty', { sub: '' }],
  ['sub has a line feed', { sub: 'a\nb' }],
  ['sub has 257 characters', { sub: 'a'.repeat(257) }],
  ['aud is a list', { aud: ['a'] }],
  ['aud is missing', { aud: undefined }],
  ['jti is missing', { jti: undefined }],
  ['jti is a UUIDv4', { jti: '3f2504e0-4f89-41d3-9a0c-0305e82c3301' }],
  ['jti is in capitals', { jti: '0191B3C4-5D6E-7F80-9A1B-2C3D4E5F6071' }],
  ['iat is missing', { iat: undefined }],
  ['iat is text', { iat: '1' }],
  ['iat is negative', { iat: -1 }],
  ['nbf is null', { nbf: null }],
  ['exp is missing', { exp: undefined }],
  ['exp is iat', { iat: NOW, exp: NOW }],
  ['exp is before iat', { iat: NOW, exp: NOW - 1 }],
  ['exp is nbf', { nbf: NOW + 600 }],
  ['claims are a list', { claims: [] }],
  ['a claim is a number', { claims: { a: 1 } }],
  [
    'there are 17 claims',
    { claims: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`c${i}`, ''])) },
  ],
  ['claims take over 1 KiB', { claims: { a: 'a'.repeat(1024) } }],
  ['claims take over 1 KiB in bytes', { claims: { a: 'é'.repeat(600) } }],
  ['claims take 1025 bytes', { claims: { a: 'a'.repeat(1025 - 8) } }],
  ['intent has 1025 characters', { intent: 'a'.repeat(1025) }],
  ['intent has 1025 characters beyond U+FFFF', { intent: '😀'.repeat(1025) }],
  ['intent is a number', { intent: 1 }],
  ['policy is a string', { policy: 'a'.repeat(64) }],
  ['policy is short', { policy: { sha256: 'a' } }],
  ['policy is in capitals', { policy: { sha256: 'A'.repeat(64) } }],
  ['policy has another member', { policy: { sha256: 'a'.repeat(64), sha512: 'a' } }],
  ['a claim is unknown', { scope: 'all' }],
  ['a claim is misspelt', { Exp: NOW }],
  ['constructor is a claim', { constructor: 'a' }],
  ['there is no scope', { authorization_details: undefined }],
  ['the scope is empty', { authorization_details: [] }],
  [
    'the scope has 65 entries',
    { authorization_details: Array.from({ length: 65 }, () => entry() as JsonObject) },
  ],
];

for (const [name, members] of faults) {
  t.test(`claims where ${name} are refused`, async (t) => {
    t.match(readClaims(patched(good, members)), { ok: false, code: 'grant_claims_invalid' });
  });
}

t.test('claims of 1 KiB, and an intent of 1024 characters of whatever width, are read', async (t) => {
  const sixteen = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`c${i}`, '']));
  for (const claims of [{ a: 'a'.repeat(1024 - 8) }, { a: 'é'.repeat(512 - 4) }, sixteen, {}])
    t.match(readClaims(patched(good, { claims })), { ok: true });
  for (const character of ['a', 'é', '\u2028', '😀', '\u0001'])
    t.match(readClaims(patched(good, { intent: character.repeat(1024) })), { ok: true });
});

const entryFaults: readonly (readonly [name: string, members: Record<string, unknown>])[] = [
  ['of another type', { type: 'other' }],
  ['without type', { type: undefined }],
  ['with an unknown member', { hosts: ['a'] }],
  ['with __proto__-like members', { constructor: {} }],
  ['without locations', { locations: undefined }],
  ['without a location', { locations: [] }],
  ['with a location that is text', { locations: 'http://api.example.com' }],
  ['with a location with a path', { locations: ['http://api.example.com/'] }],
  ['with a location in capitals', { locations: ['http://API.example.com'] }],
  ['with a location with its default port', { locations: ['http://api.example.com:80'] }],
  ['with a wildcard location', { locations: ['http://*.example.com'] }],
  ['with a location without scheme', { locations: ['api.example.com'] }],
  ['with another scheme', { locations: ['ftp://api.example.com'] }],
  ['with one bad location of two', { locations: ['http://a.test', 'http://a b'] }],
  ['without actions', { actions: undefined }],
  ['without an action', { actions: [] }],
  ['with an action in small letters', { actions: ['get'] }],
  ['with any action', { actions: ['*'] }],
  ['without a path in paths', { paths: [] }],
  ['with a path without slash', { paths: ['a'] }],
  ['with a path with dots', { paths: ['/a/../b'] }],
  ['with a double slash', { paths: ['/a//b'] }],
  ['with ** in the middle', { paths: ['/a/**/b'] }],
  ['with a star in a word', { paths: ['/a*'] }],
  ['with three stars', { paths: ['/***'] }],
  ['with an encoded star', { paths: ['/%2A'] }],
  ['with a query in a path', { paths: ['/a?b'] }],
  ['with max_calls 0', { max_calls: 0 }],
  ['with max_calls as text', { max_calls: '1' }],
  ['with max_seconds 0', { max_seconds: 0 }],
  ['with a negative max_request_bytes', { max_request_bytes: -1 }],
  ['with max_response_bytes 0', { max_response_bytes: 0 }],
  ['with a short content_sha256', { content_sha256: 'abc' }],
  ['with a content_sha256 in capitals', { content_sha256: 'A'.repeat(64) }],
  ['with mcp_tools as text', { mcp_tools: 'search' }],
];

for (const [name, members] of entryFaults) {
  t.test(`an entry ${name} refuses the grant`, async (t) => {
    const scope = [entry() as JsonObject, patched(entry() as JsonObject, members as JsonObject)];
    const claims = readClaims(patched(good, { authorization_details: scope }));
    t.match(claims, { ok: false, code: 'grant_claims_invalid' });
  });
}

t.test('an entry that is no object refuses the grant', async (t) => {
  for (const detail of [null, 'all', 1, []])
    t.match(readClaims(patched(good, { authorization_details: [detail] })), { code: 'grant_claims_invalid' });
});

t.test(
  'a full entry is read: WebSocket origins are HTTP origins, patterns are decoded segments',
  async (t) => {
    const full = entry({
      locations: ['wss://a.test', 'ws://a.test:8080', 'https://[::1]'],
      actions: ['GET', 'UPGRADE', 'CONNECT', 'M-SEARCH'],
      paths: ['/', '/**', '/a/*/c', '/@s%2fp/caf%C3%A9/'],
      ...{ max_calls: 1, max_request_bytes: 0, max_response_bytes: 1, max_seconds: 1 },
      content_sha256: 'a'.repeat(64),
      mcp_tools: ['read_*'],
    });
    const claims = readClaims(patched(good, { authorization_details: [full as JsonObject] }));
    t.ok(claims.ok);
    if (!claims.ok) return;
    const { type: _, ...members } = full;
    t.same(claims.value.root.scope, [
      {
        ...members,
        locations: ['https://a.test', 'http://a.test:8080', 'https://[::1]'],
        paths: [[''], ['**'], ['a', '*', 'c'], ['@s/p', 'café', '']],
      },
    ]);
  },
);

function patched(base: JsonObject, members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return JSON.parse(JSON.stringify({ ...base, ...members })) as JsonObject;
}
