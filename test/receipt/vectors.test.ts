import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { noble } from '../../src/crypto/noble.ts';
import { node } from '../../src/crypto/node.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { parseTrust } from '../../src/receipt/trust-file.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

/** Written once by version 0.1.0 and never again: what was handed out must verify for as long as anyone keeps it. */
const VECTORS = fileURLToPath(new URL('../vectors/evidence', import.meta.url));
const vector = (name: string): string => readFileSync(join(VECTORS, name), 'utf8');

t.test('denials that were handed out still verify', (t) => {
  for (const suite of [node, noble]) {
    const rows: [string, string, boolean][] = [
      ['denial.body', 'trust.json', true],
      ['refusal.body', 'refusal-trust.json', false],
    ];
    for (const [body, trustFile, anchored] of rows) {
      const trust = parseTrust(suite, vector(trustFile));
      if ('fault' in trust) throw new Error(trust.fault);
      const verdict = verifyDenial(suite, vector(body), trust);
      t.match(
        verdict,
        { authentic: { proven: true }, untampered: { proven: true }, anchored: { proven: anchored } },
        body,
      );
    }
  }
  t.end();
});

t.test('a log that was written still verifies', (t) => {
  const home = scratchFolder(t);
  cpSync(join(VECTORS, 'log'), home, { recursive: true });
  const layout = layoutOf(home);
  const { logKey } = readIdentity(layout);
  t.match(verifyLog({ layout, logKey }), { ok: true, size: 9, vouched: 9, torn: 0 });
  t.equal([...readEntries(layout.segments)].length, 9);
  t.end();
});
