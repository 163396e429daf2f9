import * as fc from 'fast-check';
import t from 'tap';
import type { TAP as Tap } from 'tap';
import { decodeUtf8 } from '../../src/crypto/bytes.ts';
import { toJwk } from '../../src/crypto/key.ts';
import { noble } from '../../src/crypto/noble.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import type { Suite } from '../../src/crypto/suite.ts';
import { formatNoteKey, noteKey } from '../../src/lineage/note.ts';
import { parseTrust } from '../../src/receipt/trust-file.ts';
import type { Trust } from '../../src/receipt/trust-file.ts';
import type { Verdict } from '../../src/receipt/verdict.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { deniedCall } from './denied-call.ts';
import type { Denied, Wanted } from './denied-call.ts';

function trustOf(text: string): Trust {
  const trust = parseTrust(node, text);
  if ('fault' in trust) throw new Error(trust.fault);
  return trust;
}

const word = (answer: Verdict['authentic']): string => (answer.proven ? 'yes' : answer.code);

/** The three answers in short: `yes yes yes`. Both suites must give the same. */
function answers(t: Pick<Tap, 'equal'>, { body, trust }: Pick<Denied, 'body' | 'trust'>): string {
  const [first, second] = [node, noble].map((suite: Suite) => {
    const verdict = verifyDenial(suite, body, trustOf(trust));
    return [verdict.authentic, verdict.untampered, verdict.anchored].map(word).join(' ');
  });
  t.equal(second, first, 'both suites say the same');
  return first ?? '';
}

t.test('a denial verifies from its body and a trust file alone', (t) => {
  const denied = deniedCall(scratchFolder(t));
  t.equal(answers(t, denied), 'yes yes yes');
  const verdict = verifyDenial(node, denied.body, trustOf(denied.trust));
  t.match(verdict.statement, { predicate: { code: 'policy_denied', entry: { seq: 8 } } });
  t.match(verdict.unproven.join('\n'), /own clock[^]*every call was recorded[^]*no witness/);
  t.end();
});

t.test('a refusal that was not recorded is authentic, not anchored', (t) => {
  const denied = deniedCall(scratchFolder(t), { unrecorded: true });
  t.equal(answers(t, denied), 'yes yes not_recorded');
  t.match(
    verifyDenial(node, denied.body, trustOf(denied.trust)).unproven[0],
    /in the log: it is not \(aggregated\)/,
  );
  t.end();
});

t.test('each fault of a denial has its own code', (t) => {
  const nothing = 'not_checked not_checked';
  const rows: [string, Wanted, string][] = [
    ['a permit', { predicate: { verdict: 'permit' } }, `statement_not_denial ${nothing}`],
    ['no code', { predicate: { code: undefined } }, `statement_malformed ${nothing}`],
    ['no call', { predicate: { call: undefined } }, `statement_malformed ${nothing}`],
    ['another predicate', { statement: (text) => text.replace('decision:v1', 'outcome:v1') }, `statement_not_denial ${nothing}`],
    ['a statement that is not canonical', { statement: (text) => text.replace(',"', ', "') }, `statement_malformed ${nothing}`],
    ['a member twice', { statement: (text) => text.replace('"code"', '"code":"x","code"') }, `statement_malformed ${nothing}`],
    ['an unknown member', { statement: (text) => text.replace(/\}$/, ',"z":1}') }, `statement_malformed ${nothing}`],
    ['another type', { statement: (text) => text.replace('Statement/v1', 'Statement/v2') }, `statement_malformed ${nothing}`],
    ['no SHA3-512', { statement: (text) => text.replace(/,"sha3_512":"[0-9a-f]*"\},"name/, '},"name') }, `statement_malformed ${nothing}`],
    ['a digest of another call', { statement: (text) => text.replace('a.example', 'b.example') }, `statement_malformed ${nothing}`],
    ['an entry member too many', { statement: (text) => text.replace('"seq":8}', '"seq":8,"x":1}') }, `statement_malformed ${nothing}`],
    ['a float', { statement: (text) => text.replace('"seq":8}', '"seq":8.5}') }, `statement_malformed ${nothing}`],
    ['not JSON', { statement: () => 'x' }, `statement_malformed ${nothing}`],
    ['not UTF-8', { statement: (text) => text.replace('ü', '\ud800') }, `statement_malformed ${nothing}`],
    ['no place in the log', { statement: (text) => text.replace(/"entry":\{[^}]*\},/, '') }, `statement_malformed ${nothing}`],
    ['another position', { statement: (text) => text.replace('"seq":8}', '"seq":7}') }, 'yes yes proof_wrong_index'],
    ['another origin', { statement: (text) => text.replace('"origin":"localhost', '"origin":"elsewhere') }, 'yes yes proof_wrong_log'],
    ['another time', { statement: (text) => text.replace('03:04', '03:05') }, 'yes yes proof_wrong_root'],
    ['a proof for another entry', { proof: (text) => text.replace('index 8', 'index 7') }, 'yes yes proof_wrong_index'],
    ['a stray line', { proof: (text) => text.replace('index', 'extra AA==\nindex') }, 'yes yes proof_malformed'],
    ['a hash less', { proof: (text) => text.replace(/\n[^\n]*\n\n/, '\n\n') }, 'yes yes proof_wrong_root'],
['another root', { proof: (text) => text.replace(/\n9\n.{4}/, '\n9\nAAAA') }, 'yes yes proof_wrong_root'],
    ['another size', { proof: (text) => text.replace('\n9\n', '\n10\n') }, 'yes yes proof_wrong_root'],
    ['another checkpoint origin', { proof: (text) => text.replace('\nlocalhost', '\nelsewhere') }, 'yes yes proof_wrong_log'],
    ['an unsigned checkpoint', { proof: (text) => text.replace(/— .* /, '— stranger ') }, 'yes yes checkpoint_bad_signature'],
    ['no signature line', { proof: (text) => text.replace(/— [^]*/, '') }, 'yes yes proof_malformed'],
    ['another title', { shown: { title: 'All is well' } }, 'yes shown_changed yes'],
    ['another code', { shown: { code: 'grant_expired' } }, 'yes shown_changed yes'],
    ['another code, shown as signed', { predicate: { code: 'grant_expired' } }, 'yes shown_changed yes'],
    ['another instance', { shown: { instance: 'urn:uuid:00000000-0000-4000-8000-000000000000' } }, 'yes shown_changed yes'],
    ['another opening', { shown: { opening: { salt: 'AAAA' } } }, 'yes shown_changed yes'],
    ['a refusal without why', { unrecorded: true, predicate: { why: undefined } }, `statement_malformed ${nothing}`],
    ['a refusal with an entry', { unrecorded: true, statement: (text) => text.replace('"evaluated"', '"entry":{},"evaluated"') }, `statement_malformed ${nothing}`],
  ]; // prettier-ignore
  for (const [name, wanted, verdict] of rows)
    t.equal(answers(t, deniedCall(scratchFolder(t), wanted)), verdict, name);
  t.end();
});

t.test('a body is one JSON text only, with our members', (t) => {
  const { body, trust } = deniedCall(scratchFolder(t));
  const nothing = 'not_checked';
  const malformed = `${nothing} body_malformed ${nothing}`;
  const rows: [string, string, string][] = [
    ['reformatted', JSON.stringify(JSON.parse(body), null, 1), malformed],
    ['a space behind', `${body} `, malformed],
    ['an escape for a letter', body.replace('"code"', '"c\\u006fde"'), malformed],
    ['a member twice', body.replace('{', '{"code":"policy_denied",'), malformed],
    ['an unknown member', body.replace('{', '{"verified":true,'), malformed],
    ['a __proto__', body.replace('{', '{"__proto__":1,'), malformed],
    ['a list', `[${body}]`, malformed],
    ['half of it', body.slice(0, 500), malformed],
    ['nothing', '', malformed],
    ['no receipt', body.replace(/"receipt":\{.*?\]\}/, '"receipt":null'), `receipt_missing ${nothing} ${nothing}`],
    ['a receipt that is a text', body.replace(/"receipt":\{.*?\]\}/, '"receipt":"x"'), `receipt_malformed ${nothing} ${nothing}`],
    ['another payload type', body.replace('in-toto+json', 'in-toto+xml'), `receipt_malformed ${nothing} ${nothing}`],
    ['two signatures', body.replace(/"signatures":\[(\{.*?\})\]/, '"signatures":[$1,$1]'), `receipt_malformed ${nothing} ${nothing}`],
    ['no signature', body.replace(/"signatures":\[.*?\]/, '"signatures":[]'), `receipt_malformed ${nothing} ${nothing}`],
    ['a member more in the envelope', body.replace('{"payload"', '{"extra":1,"payload"'), `receipt_malformed ${nothing} ${nothing}`],
    ['a signature without padding', body.replace('=="}]', '"}]'), `receipt_malformed ${nothing} ${nothing}`],
    ['another key id', body.replace('"keyid":"', '"keyid":"x'), `receipt_unknown_key ${nothing} ${nothing}`],
    ['no proof', body.replace(/"proof":"[^"]*"/, '"proof":null'), 'yes yes proof_missing'],
    ['a proof that is a number', body.replace(/"proof":"[^"]*"/, '"proof":1'), 'yes yes proof_missing'],
    ['a line feed of Windows in the proof', body.replace('index 8\\n', 'index 8\\r\\n'), 'yes yes proof_malformed'],
    ['a shown member missing', body.replace(/"remedy":"[^"]*",/, ''), 'yes shown_changed yes'],
    ['members in another order', body.replace(/("title":"[^"]*"),("status":403)/, '$2,$1'), 'yes yes yes'],
  ]; // prettier-ignore
  for (const [name, text, verdict] of rows) t.equal(answers(t, { body: text, trust }), verdict, name);
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (junk) => !verifyDenial(node, junk, trustOf(trust)).authentic.proven,
    ),
  );
  fc.assert(fc.property(fc.json(), (junk) => !verifyDenial(node, junk, trustOf(trust)).authentic.proven));
  t.end();
});

t.test('every changed byte of a denial is found, by both suites', (t) => {
  const { body, trust } = deniedCall(scratchFolder(t));
  const bytes = Buffer.from(body);
  const trusted = trustOf(trust);
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [1, 0x20]) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ mask;
      const text = decodeUtf8(bad);
      if (text === undefined) continue; // it is not even text
      const suite = at % 50 === 0 ? noble : node;
      const { authentic, untampered, anchored } = verifyDenial(suite, text, trusted);
      if ([authentic, untampered, anchored].every(({ proven }) => proven)) t.fail(`byte ${at} ^ ${mask}`);
    }
  }
  t.pass(`${bytes.length} bytes`);
  t.end();
});

t.test('a denial counts only under the keys that it was signed with', (t) => {
  const { body, log } = deniedCall(scratchFolder(t));
  const [other, third] = [loadSigner(newKey()).key, loadSigner(newKey()).key];
  const receipt = toJwk(log.identity.receiptKey);
  const logLine = `log ${formatNoteKey(log.identity.logKey)}`;
  const sameName = formatNoteKey(noteKey(node, { name: log.identity.origin, type: 'log', key: other }));
  const witness = formatNoteKey(noteKey(node, { name: 'w', type: 'witness', key: third }));
  const rows: [string, object, string][] = [
    ['its own', { receiptKeys: [receipt], tlogPolicy: `${logLine}\nquorum none\n` }, 'yes yes yes'],
    ['its own among others', { receiptKeys: [toJwk(other), receipt], tlogPolicy: `${logLine}\nquorum none\n` }, 'yes yes yes'],
    ['another receipt key', { receiptKeys: [toJwk(other)], tlogPolicy: `${logLine}\nquorum none\n` }, 'receipt_unknown_key not_checked not_checked'],
    ['no log', { receiptKeys: [receipt], tlogPolicy: 'quorum none\n' }, 'yes yes proof_wrong_log'],
    ['another log key of that name', { receiptKeys: [receipt], tlogPolicy: `log ${sameName}\nquorum none\n` }, 'yes yes checkpoint_bad_signature'],
    ['a witness that did not sign', { receiptKeys: [receipt], tlogPolicy: `${logLine}\nwitness W ${witness}\nquorum W\n` }, 'yes yes witnesses_missing'],
  ]; // prettier-ignore
  for (const [name, trust, verdict] of rows)
    t.equal(answers(t, { body, trust: JSON.stringify(trust) }), verdict, name);
  t.end();
});
