import t from 'tap';
import { readCall } from '../../src/call/read.ts';
import { forward, makeHead } from './heads.ts';
import type { HeadParts } from './heads.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** A good handshake, after a change. */
function handshake(change: (parts: HeadParts) => void = () => undefined): ReturnType<typeof readCall> {
  const head = makeHead((parts) => {
    parts.headers.push(['Connection', 'keep-alive, Upgrade'], ['Upgrade', 'websocket']);
    parts.headers.push(['Sec-WebSocket-Version', '13'], ['Sec-WebSocket-Key', KEY]);
    change(parts);
  });
  return readCall(head, forward);
}

const put =
  (name: string, ...values: readonly string[]) =>
  (parts: HeadParts): void => {
    parts.headers = parts.headers.filter(([known]) => known.toLowerCase() !== name.toLowerCase());
    parts.headers.push(...values.map((value): [string, string] => [name, value]));
  };

t.test('a WebSocket’s handshake is a call whose action is UPGRADE', (t) => {
  const call = handshake((parts) => put('Sec-WebSocket-Protocol', 'chat, superchat')(parts));
  if (!call.ok) throw new Error(call.detail);
  t.match(call.value, { method: 'GET', action: 'UPGRADE', upgrade: 'websocket', framing: { kind: 'none' } });
  const names = call.value.headers.map(([name]) => name);
  t.notOk(names.includes('upgrade') || names.includes('connection'), 'what is hop-by-hop is written anew');
  t.ok(names.includes('sec-websocket-key') && names.includes('sec-websocket-protocol'));
  t.match(handshake(put('Upgrade', 'WebSocket')), { ok: true, value: { upgrade: 'websocket' } }, 'any case');
  const plain = readCall(makeHead(), forward);
  t.match(plain, { ok: true, value: { action: 'GET' } });
  t.notOk(plain.ok && 'upgrade' in plain.value);
  t.end();
});

const isOfOffer = (name: string): boolean => /^(?:connection|upgrade|http2-settings)$/.test(name);

/** What some clients write over a request in the clear (RFC 7540 §3.2), after a change. */
function offer(change: (parts: HeadParts) => void): ReturnType<typeof readCall> {
  const head = makeHead((parts) => {
    parts.headers.push(['Connection', 'Upgrade, HTTP2-Settings'], ['Upgrade', 'h2c']);
    parts.headers.push(['HTTP2-Settings', 'AAMAAABkAAQAAP__']);
    change(parts);
  });
  return readCall(head, forward);
}

const otherOffers: readonly (readonly [name: string, change: (parts: HeadParts) => void])[] = [
  ['in HTTP/1.0', (p) => (p.version = '1.0')],
  ['in capitals', put('Upgrade', 'H2C')],
  ['in TLS', put('Upgrade', 'h2')],
  ['twice', put('Upgrade', 'h2c', 'h2c')],
  ['and nothing', put('Upgrade', 'h2c', '')],
  ['beside a WebSocket', put('Upgrade', 'h2c, websocket')],
  ['a WebSocket on its own line', put('Upgrade', 'websocket', 'h2c')],
  ['no Connection', put('Connection')],
  ['Connection in another order', put('Connection', 'HTTP2-Settings, Upgrade')],
  ['Connection that lists more', put('Connection', 'Upgrade, HTTP2-Settings, close')],
  ['Connection on two lines', put('Connection', 'Upgrade', 'HTTP2-Settings')],
  ['no settings', put('HTTP2-Settings')],
  ['settings twice', put('HTTP2-Settings', 'AAMAAABk', 'AAMAAABk')],
  ['empty settings', put('HTTP2-Settings', '')],
  ['half a setting', put('HTTP2-Settings', 'AAMAAAB')],
  ['padded settings', put('HTTP2-Settings', 'AAMAAAA=')],
  ['settings in base64', put('HTTP2-Settings', 'AAMA+/Bk')],
  ['17 settings', put('HTTP2-Settings', 'AAMAAABk'.repeat(17))],
];

const unsupported: readonly (readonly [name: string, change: (parts: HeadParts) => void])[] = [
  ['h2c', put('Upgrade', 'h2c')],
  ['h2c beside it', put('Upgrade', 'websocket, h2c')],
  ['h2c in a second header', put('Upgrade', 'websocket', 'h2c')],
  ['twice', put('Upgrade', 'websocket', 'websocket')],
  ['a version', put('Upgrade', 'websocket/13')],
  ['nothing', put('Upgrade', '')],
];

const invalid: readonly (readonly [name: string, change: (parts: HeadParts) => void])[] = [
  ['POST', (p) => (p.method = 'POST')],
  ['HTTP/1.0', (p) => (p.version = '1.0')],
  ['no Connection', put('Connection')],
  ['Connection without it', put('Connection', 'keep-alive')],
  ['a length', put('Content-Length', '0')],
  ['chunks', put('Transfer-Encoding', 'chunked')],
  ['Expect', put('Expect', '100-continue')],
  ['no version', put('Sec-WebSocket-Version')],
  ['version 8', put('Sec-WebSocket-Version', '8')],
  ['two versions', put('Sec-WebSocket-Version', '13', '8')],
  ['a list of versions', put('Sec-WebSocket-Version', '13, 8')],
  ['no key', put('Sec-WebSocket-Key')],
  ['two keys', put('Sec-WebSocket-Key', KEY, KEY)],
  ['a short key', put('Sec-WebSocket-Key', 'dGhlIHNhbXBsZQ==')],
  ['a key with bits beyond its bytes', put('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZR==')],
  ['a key without padding', put('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ')],
  ['protocols that are no tokens', put('Sec-WebSocket-Protocol', 'a b')],
  ['no protocol', put('Sec-WebSocket-Protocol', '')],
  ['two lists of protocols', put('Sec-WebSocket-Protocol', 'a', 'b')],
  ['the server’s header', put('Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')],
  ['two cookies', put('Cookie', 'a=1', 'b=2')],
];

t.test('an offer of HTTP/2 in exactly one form is not heard, and none of it goes on', (t) => {
  for (const change of [
    () => undefined,
    put('Connection', 'upgrade,http2-settings'),
    put('Content-Length', '5'),
    (parts: HeadParts) => (parts.method = 'POST'),
  ]) {
    const call = offer(change);
    if (!call.ok) throw new Error(call.detail);
    t.equal(call.value.action, call.value.method);
    t.notOk('upgrade' in call.value);
    t.strictSame(call.value.headers.map(([name]) => name).filter(isOfOffer), []);
  }
  for (const [name, change] of otherOffers)
    t.match(offer(change), { ok: false, code: 'upgrade_unsupported' }, name);
  t.end();
});

for (const [rows, code] of [
  [unsupported, 'upgrade_unsupported'],
  [invalid, 'upgrade_invalid'],
] as const)
  t.test(`is refused with ${code}`, (t) => {
    for (const [name, change] of rows) t.match(handshake(change), { ok: false, code }, name);
    t.end();
  });
