/** Packs the compiled module as it is committed: brotli at its densest, and a digest beside it. `pack.ts IN OUT` */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) throw new Error('usage: pack.ts IN OUT');

const plain = readFileSync(from);
const packed = brotliCompressSync(plain, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
  },
});
writeFileSync(to, packed);
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
writeFileSync(`${to}.sha256`, `${digest(packed)}  ${basename(to)}\n${digest(plain)}  opa.wasm\n`);
