/** `Expect`, which ends at the sidecar (RFC 9110 §10.1.1). */
import { deny } from '../denial/outcome.ts';
import type { Refusal } from '../denial/outcome.ts';
import type { HeaderSection } from './headers.ts';

/** RFC 9110 §10.1.1: `100-continue`, once, is the only expectation there is. */
export function strangeExpectation({ values }: HeaderSection): Refusal | undefined {
  const expected = values.get('expect');
  if (!expected || (expected.length === 1 && expected[0]?.toLowerCase() === '100-continue')) return undefined;
  return deny('expect_unsupported', JSON.stringify(expected));
}
