import * as fc from 'fast-check';
import t from 'tap';
import { loadSigner, newKey, node } from '../../../src/crypto/node.ts';
import { formatNoteKey, noteKey } from '../../../src/lineage/note.ts';
import type { NoteKey, SignatureType } from '../../../src/lineage/note.ts';
import { formatPolicy, isQuorum, parsePolicy } from '../../../src/lineage/witness/tlog-policy.ts';
import type { TlogPolicy } from '../../../src/lineage/witness/tlog-policy.ts';

const keyOf = (name: string, type: SignatureType): NoteKey =>
  noteKey(node, { name, type, key: loadSigner(newKey()).key });
const log = keyOf('example.com/log', 'log');
const witnesses = ['x1', 'x2', 'x3', 'y1', 'y2'].map((name) => keyOf(`${name}.example`, 'witness'));
const vkey = formatNoteKey(log);
const witnessLines = witnesses.map(
  (key) => `witness ${key.name.slice(0, 2).toUpperCase()} ${formatNoteKey(key)}`,
);

const TWO_LEVELS = `# two organisations
log ${vkey} https://example.com/

${witnessLines.slice(0, 3).join('\n')}
\tgroup  X 2 X1 X2 X3
${witnessLines.slice(3).join('\n')}
group Y any Y1 Y2
group both all X Y
quorum both
`;

function good(text: string): TlogPolicy {
  const policy = parsePolicy(node, text);
  if ('fault' in policy) throw new Error(policy.fault);
  return policy;
}

t.test('the policy that we write is read again', (t) => {
  const policy = good(formatPolicy(log));
  t.strictSame(policy, { logs: [log], witnesses: [], quorum: { kind: 'none' } });
  t.ok(isQuorum(policy.quorum, []));
  t.end();
});

t.test('a quorum over two levels of groups is counted', (t) => {
  const policy = good(TWO_LEVELS);
  const cosigned = (...numbers: readonly number[]): boolean =>
    isQuorum(
      policy.quorum,
      policy.witnesses.filter((_, i) => numbers.includes(i)),
    );
  t.equal(policy.witnesses.length, 5);
  t.notOk(cosigned());
  t.notOk(cosigned(0, 1), 'enough of X, none of Y');
  t.notOk(cosigned(0, 3, 4), 'one of X is not enough');
  t.ok(cosigned(0, 2, 3));
  t.ok(cosigned(0, 1, 2, 3, 4));
  const one = good(`${witnessLines[0]}\nquorum X1\n`);
  t.ok(isQuorum(one.quorum, one.witnesses), 'a single witness');
  t.notOk(isQuorum(one.quorum, []));
  t.end();
});

t.test('each fault of a policy has its line', (t) => {
  const rows: [string, string, RegExp][] = [
    ['no quorum', `log ${vkey}\n`, /no quorum line/],
    ['two quorums', 'quorum none\nquorum none\n', /line 2: a second quorum/],
    ['an unknown quorum', 'quorum X\n', /line 1: X is not defined yet/],
    ['an unknown word', 'logs x\n', /line 1: unknown word logs/],
    ['a bad key', `log ${vkey.slice(0, -1)}\nquorum none\n`, /line 1: not the verifier key of a log/],
    ['a log’s key as witness', `witness W ${vkey}\nquorum W\n`, /line 1: not the verifier key of a witness/],
    ['a key twice', `log ${vkey}\nlog ${vkey}\nquorum none\n`, /line 2: this key stands here twice/],
    ['a name twice', `${witnessLines[0]}\n${witnessLines[1]?.replace('X2', 'X1')}\nquorum X1\n`, /line 2: X1 is defined twice/],
    ['a witness named none', `${witnessLines[0]?.replace('X1', 'none')}\nquorum none\n`, /none is defined twice/],
    ['a group before its members', `group G any X1\n${witnessLines[0]}\nquorum G\n`, /line 1: X1 is not defined yet/],
    ['a member of two groups', `${witnessLines[0]}\ngroup G any X1\ngroup H any X1\nquorum G\n`, /line 3: X1 .*in a group already/],
    ['a threshold of zero', `${witnessLines[0]}\ngroup G 0 X1\nquorum G\n`, /no such threshold/],
    ['a threshold too high', `${witnessLines[0]}\ngroup G 2 X1\nquorum G\n`, /no such threshold/],
    ['an empty group', 'group G any\nquorum none\n', /line 1: group </],
    ['too many words', `log ${vkey} a b\nquorum none\n`, /line 1: log </],
    ['a control character', `log ${vkey}\r\nquorum none\n`, /control character/],
    ['too many lines', `${'\n'.repeat(2000)}quorum none\n`, /more than 1024 lines/],
  ]; // prettier-ignore
  for (const [name, text, fault] of rows) t.match(parsePolicy(node, text), { fault }, name);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (junk) => void parsePolicy(node, junk)));
  t.end();
});
