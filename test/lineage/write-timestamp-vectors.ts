/** By hand: `node test/lineage/write-timestamp-vectors.ts` makes `test/vectors/timestamps.json` anew, with fresh keys. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { data, nonce, stampRows } from './timestamp-rows.ts';
import { VECTORS } from './timestamp-vectors.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const rows = await stampRows(t);
const vectors = rows.map(({ name, response, roots, code }) => ({
  ...{ name, code, roots, data: base64(data), nonce: base64(nonce) },
  response: base64(response),
}));
writeFileSync(VECTORS, `${JSON.stringify(vectors, undefined, 2)}\n`);
t.pass(`${vectors.length} vectors`);
