/** The body of a 403: members, their order, and the digest that the receipt binds. */
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import t from 'tap';
import { sha256Hex } from '../../src/crypto/node.ts';
import { denials } from '../../src/denial/table.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { denialOf, problemOf, shownDigest } from '../../src/gate/denial.ts';
import type { Evidence } from '../../src/gate/denial.ts';
import { parseDenialBody, shownText } from '../../src/receipt/body.ts';
import { ID, SALT } from './found.ts';

const ORDER = 'type,title,status,detail,instance,code,remedy,receipt,proof,opening';
const codes = Object.keys(denials) as DenialCode[]; // the table's own keys

const evidences: readonly Evidence[] = [
  {
    receipt: '{"payload":"e30=","payloadType":"x","signatures":[]}',
    proof: 'c2sp.org/tlog-proof@v1\nindex 1\n',
  },
  { receipt: '{"payload":"e30=","payloadType":"x","signatures":[]}', proof: null },
  { receipt: null, proof: null },
];

t.test('every code makes a body that re-serialises to itself', (t) => {
  for (const code of codes) {
    const problem = problemOf({ id: ID, code, reasons: [], salt: SALT, status: 403 });
    for (const evidence of evidences) {
      const { body, close, status } = denialOf(ID, problem, evidence);
      const parsed = JSON.parse(body) as Record<string, unknown>;
      t.equal(JSON.stringify(parsed), body, code);
      t.equal(Object.keys(parsed).join(), ORDER);
      t.ok(parseDenialBody(body), 'the verifier can read it');
      t.equal(close, evidence.receipt === null, 'without a receipt the connection closes');
      t.equal(status, 403);
    }
  }
  t.end();
});

t.test('its texts come from the table and the reasons alone', (t) => {
  const problem = problemOf({
    id: ID,
    code: 'policy_denied',
    reasons: ['a.b', 'c'],
    salt: SALT,
    status: 403,
  });
  const { title, remedy } = denials.policy_denied;
  t.strictSame(problem, {
    ...{ type: 'urn:writ:denial:policy_denied', title, status: 403, detail: `${title}: a.b, c.` },
    ...{ instance: `urn:uuid:${ID}`, code: 'policy_denied', remedy },
    opening: { salt: 'AAECAwQFBgcICQoLDA0ODw' },
  });
  t.equal(problemOf({ ...problem, id: ID, reasons: [], salt: SALT }).detail, `${title}.`);
  t.end();
});

t.test('shown is the digest of the JCS of all but receipt and proof', (t) => {
  const reason = fc.stringMatching(/^[a-z0-9_.]{1,64}$/);
  const given = fc.record({
    id: fc.uuid(),
    code: fc.constantFrom(...codes),
    reasons: fc.array(reason, { maxLength: 16 }),
    salt: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    status: fc.constantFrom(403 as const, 407 as const),
  });
  fc.assert(
    fc.property(given, (known) => {
      const problem = problemOf(known);
      const shown = shownDigest(problem);
      const { body } = denialOf(known.id, problem, { receipt: '{}', proof: 'x' });
      const { receipt: _receipt, proof: _proof, ...rest } = JSON.parse(body) as Record<string, unknown>;
      const read = parseDenialBody(body);
      return shown === sha256Hex(canonicalize(rest) ?? '') && read !== undefined && sha256Hex(shownText(read.shown)) === shown;
    }),
  );
  t.end();
}); // prettier-ignore
