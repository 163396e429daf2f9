/** Which revisions go back. */
import t from 'tap';
import { isOlder } from '../../src/policy/revision.ts';

const cases: readonly (readonly [candidate: string, active: string, older: boolean])[] = [
  ['1', '2', true],
  ['2', '1', false],
  ['2', '2', false],
  ['9', '10', true],
  ['1.9', '1.10', true],
  ['v1.4.0', '1.4.1', true],
  ['2026-11-20', '2026-11-21', true],
  ['2026-11-21.1', '2026-11-21.2', true],
  ['2.0', '1.9', false],
  ['1', '1.1', false],
  ['release-1', 'release-2', false],
  ['0123456789abcdef', 'f123456789abcdef', false],
  ['1234567890123456', '2', false],
];

for (const [candidate, active, older] of cases)
  t.test(`${candidate} is ${older ? '' : 'not '}older than ${active}`, async (t) => {
    t.equal(isOlder(candidate, active), older);
  });
