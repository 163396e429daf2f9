import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { certificatesIn } from '../../../src/lineage/timestamp/certificate.ts';
import {
  timestampedBytes,
  timestampRequest,
  verifyTimestamp,
} from '../../../src/lineage/timestamp/timestamp.ts';
import type { TimestampFault, TimestampOutcome } from '../../../src/lineage/timestamp/fault.ts';
import type { TimestampClaim } from '../../../src/lineage/timestamp/timestamp.ts';
import { fetchTimestamp } from '../../../src/sidecar/timestamp-post.ts';
import { unlessInstalled } from '../../third-party/tool.ts';
import { serveAuthority, TestAuthority } from '../test-authority.ts';
import type { HttpAnswer } from '../test-authority.ts';
import { data, inDays, nonce } from '../timestamp-rows.ts';
import { judgeVector, readVectors } from '../timestamp-vectors.ts';

t.setTimeout(120_000);
const skip = unlessInstalled('openssl', 'version');

function rootsOf(authority: TestAuthority, ...names: readonly string[]): TimestampClaim['roots'] {
  const roots = certificatesIn(names.map((name) => authority.pem(name)).join(''));
  if (!roots) throw new Error('no roots');
  return roots;
}

function codeOf(outcome: TimestampOutcome): TimestampFault | 'good' {
  return outcome.ok ? 'good' : outcome.code;
}

t.test('what OpenSSL answers is believed, and says when and who', { skip }, async (t) => {
  const authority = new TestAuthority(t);
  authority.certify('between', { issuer: 'root', is: 'ca' });
  authority.certify('below', { issuer: 'between' });
  authority.certify('rsa', { issuer: 'root', key: 'rsa-2048' });
  const roots = rootsOf(authority, 'root');
  const rows: [string, Uint8Array, string][] = [
    ['our question', authority.reply(await timestampRequest(data, nonce)), 'CN=tsa'],
    ['a longer chain', authority.reply(await timestampRequest(data, nonce), 'below', '-chain', 'between.pem'), 'CN=below'],
    ['an RSA key', authority.reply(await timestampRequest(data, nonce), 'rsa'), 'CN=rsa'],
    ['what we forge, where nothing is forged', authority.forge(data, { nonce }), 'CN=tsa'],
  ]; // prettier-ignore
  for (const [name, response, by] of rows) {
    const before = Date.now();
    const found = await verifyTimestamp(response, { data, roots, nonce });
    if (!found.ok) throw new Error(`${name}: ${found.code}`);
    t.match(found.value, { by, policy: '1.2.3.4.1' }, name);
    t.ok(Math.abs(found.value.before - before) < 60_000, `${name}: now`);
  }
  const offline = authority.reply(authority.query(data, '-cert'));
  t.equal(
    codeOf(await verifyTimestamp(offline, { data, roots })),
    'good',
    'OpenSSL’s own question, verified later',
  );
  const time = inDays(1);
  const tomorrow = await verifyTimestamp(authority.forge(data, { time }), { data, roots });
  t.match(tomorrow, { ok: true, value: { before: time.getTime() } }, 'the time is the token’s, not ours');
});

t.test('everything else is refused, by name', async (t) => {
  const vectors = readVectors();
  t.ok(vectors.length > 40);
  for (const vector of vectors) t.equal(await judgeVector(vector), vector.code, vector.name);
});

t.test('no part of an answer, and no change of a byte, says anything else', { skip }, async (t) => {
  const authority = new TestAuthority(t);
  const roots = rootsOf(authority, 'root');
  const good = authority.reply(authority.query(data, '-cert'));
  const said = JSON.stringify(await verifyTimestamp(good, { data, roots }));
  for (let length = 0; length < good.length; length += 5)
    if ((await verifyTimestamp(good.subarray(0, length), { data, roots })).ok) t.fail(`${length} bytes`);
  let refused = 0;
  let changes = 0;
  for (let at = 0; at < good.length; at += 3, changes++) {
    const changed = Uint8Array.from(good);
    changed[at] = (changed[at] ?? 0) ^ (at % 2 === 0 ? 0x01 : 0x80);
    const found = await verifyTimestamp(changed, { data, roots });
    if (!found.ok) refused++;
    else if (JSON.stringify(found) !== said) t.fail(`byte ${at} changes what is said`);
  }
  t.ok(refused > 0.9 * changes, `${refused} of ${changes} changes were refused`);
  t.equal(
    codeOf(await verifyTimestamp(deep(30_000), { data, roots })),
    'timestamp_malformed',
    'endless nesting',
  );
});

t.test('an authority that answers badly, or not at all, is named', { skip }, async (t) => {
  const authority = new TestAuthority(t);
  const roots = authority.path('root.pem');
  const elsewhere = await serveAuthority(t, (query) => ({ body: authority.reply(query) }));
  const rows: [string, (query: Uint8Array) => HttpAnswer, TimestampFault | 'good'][] = [
    ['a good one', (query) => ({ body: authority.reply(query) }), 'good'],
    ['an error', (query) => ({ status: 500, body: authority.reply(query) }), 'timestamp_http_error'],
    ['a redirect', () => ({ status: 307, to: elsewhere.url }), 'timestamp_unreachable'],
    ['silence', () => undefined, 'timestamp_unreachable'],
    ['too much', (query) => ({ body: Buffer.concat([authority.reply(query), Buffer.alloc(16_384)]) }), 'timestamp_unreachable'],
    ['nothing', () => ({}), 'timestamp_malformed'],
    ['an old answer', () => ({ body: authority.reply(authority.query(data, '-cert')) }), 'timestamp_wrong_nonce'],
    ['tomorrow', (query) => ({ body: authority.forge(data, { nonce: nonceIn(query), time: inDays(1) }) }), 'timestamp_wrong_time'],
    ['now', (query) => ({ body: authority.forge(data, { nonce: nonceIn(query) }) }), 'good'],
  ]; // prettier-ignore
  for (const [name, answer, code] of rows) {
    const { url, asked } = await serveAuthority(t, answer);
    const timeoutMs = name === 'silence' ? 300 : 30_000;
    const found = await fetchTimestamp(data, { url, roots, timeoutMs });
    t.equal(codeOf(found), code, name);
    t.strictSame(asked, ['application/timestamp-query'], name);
  }
  t.equal(elsewhere.asked.length, 0, 'a redirect is not followed');
  const { url } = elsewhere;
  const policies: [string | null, TimestampFault | 'good'][] = [
    [null, 'good'],
    ['1.2.3.4.1', 'good'],
    ['1.2.3.4.2', 'good'],
    ['1.2.3.9', 'timestamp_refused'],
  ];
  for (const [policy, code] of policies) {
    const found = await fetchTimestamp(data, { url, roots, policy, timeoutMs: 30_000 });
    t.equal(codeOf(found), code, `policy ${policy}`);
    if (found.ok) t.equal(found.value.policy, policy ?? '1.2.3.4.1');
  }
  const stubborn = await serveAuthority(t, (query) => ({
    body: authority.forge(data, { nonce: nonceIn(query) }),
  }));
  const asked = { url: stubborn.url, roots, policy: '1.2.3.4.2', timeoutMs: 30_000 };
  t.equal(
    codeOf(await fetchTimestamp(data, asked)),
    'timestamp_wrong_policy',
    'another one than was asked for',
  );
  const { length } = elsewhere.asked;
  const missing = { url, roots: authority.path('missing'), timeoutMs: 1000 };
  t.equal(codeOf(await fetchTimestamp(data, missing)), 'timestamp_no_roots');
  t.equal(codeOf(await fetchTimestamp(data, { ...missing, roots: authority.path('tsa.key') })), 'timestamp_no_roots'); // prettier-ignore
  t.equal(elsewhere.asked.length, length, 'and nobody is asked without roots');
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo; // a TCP server's address
  await new Promise((resolve) => closed.close(resolve));
  const nobody = await fetchTimestamp(data, { url: `http://127.0.0.1:${port}/`, roots, timeoutMs: 5000 });
  t.equal(codeOf(nobody), 'timestamp_unreachable', 'nobody there');
});

t.test('a timestamp is over the checkpoint as the log alone signed it', (t) => {
  const read = (name: string): string => readFileSync(new URL(`../../vectors/witnessed/${name}`, import.meta.url), 'utf8');
  const cosigned = read('14.checkpoint');
  const lines = cosigned.split('\n').filter((line) => !line.startsWith('— witness'));
  t.equal(cosigned.split('\n').length - lines.length, 2, 'two witnesses');
  t.equal(Buffer.from(timestampedBytes(cosigned) ?? '').toString(), lines.join('\n'));
  t.equal(Buffer.from(timestampedBytes(lines.join('\n')) ?? '').toString(), lines.join('\n'));
  t.equal(timestampedBytes('no checkpoint'), undefined);
  t.equal(timestampedBytes(lines.join('\n').replace('— localhost', '— elsewhere')), undefined);
  t.end();
}); // prettier-ignore

t.test('roots are certificates, all of them', { skip }, async (t) => {
  const authority = new TestAuthority(t);
  const two = `${authority.pem('root')}some text\n${authority.pem('tsa')}`;
  t.equal(certificatesIn(two)?.length, 2);
  t.equal(certificatesIn(''), undefined);
  t.equal(certificatesIn(two.replace('MII', 'MJJ')), undefined, 'one that cannot be read');
});

/** Of a question of ours: 8 bytes, before `certReq`. */
function nonceIn(query: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(query.subarray(-11, -3));
}

/** Sequences in sequences, of no stated length. */
function deep(levels: number): Uint8Array {
  return Buffer.from('3080'.repeat(levels), 'hex');
}
