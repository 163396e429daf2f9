import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import type { Gunzip } from 'node:zlib';
import t from 'tap';
import { Unpacker } from '../../src/call/content-coding.ts';

/** Opens and counts how often a thread is asked to. */
function opening(): { readonly stream: Gunzip; readonly asked: () => number } {
  const stream = createGunzip();
  const transform = stream._transform.bind(stream);
  let asked = 0;
  stream._transform = (...given) => {
    asked += 1;
    transform(...given);
  };
  return { stream, asked: () => asked };
}

t.test('what comes byte by byte is opened as it lies there, not byte by byte', async (t) => {
  const plain = randomBytes(5000);
  const { stream, asked } = opening();
  const opened: Uint8Array[] = [];
  const unpacker = new Unpacker({ open: () => stream }, (bytes) => opened.push(bytes) > 0);
  for (const byte of gzipSync(plain)) unpacker.add(Uint8Array.of(byte));
  t.ok(await unpacker.close());
  t.same(Buffer.concat(opened), plain);
  t.ok(asked() <= 3, 'for the first byte, all others, and the end');
});

t.test('pieces that come later are opened in their order', async (t) => {
  const plain = randomBytes(5000);
  const { stream, asked } = opening();
  const opened: Uint8Array[] = [];
  const unpacker = new Unpacker({ open: () => stream }, (bytes) => opened.push(bytes) > 0);
  for (const byte of gzipSync(plain)) {
    unpacker.add(Uint8Array.of(byte));
    if (byte < 16) await setImmediate();
  }
  t.ok(await unpacker.close());
  t.same(Buffer.concat(opened), plain);
  t.ok(asked() > 2);
});
