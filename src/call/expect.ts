/** `Expect`, which ends at the sidecar (RFC 9110 §10.1.1). */
import { deny } from '../denial/outcome.ts';
import type { Refusal } from '../denial/outcome.ts';
import type { Framing } from './call.ts';
import type { HeaderSection } from './headers.ts';

/** RFC 9110 §10.1.1: `100-continue`, once, is the only expectation there is. */
export function strangeExpectation({ values }: HeaderSection): Refusal | undefined {
  const expected = values.get('expect');
  if (!expected || (expected.length === 1 && isContinue(expected[0]))) return undefined;
  return deny('expect_unsupported', JSON.stringify(expected));
}

/** Whether the agent waits for `100 Continue`: only in HTTP/1.1, and only with a body to come. */
export function waitsForContinue(section: HeaderSection, framing: Framing, version: string): boolean {
  const hasBody = framing.kind === 'chunked' || (framing.kind === 'length' && framing.bytes > 0);
  return hasBody && version === '1.1' && isContinue(section.values.get('expect')?.[0]);
}

function isContinue(value: string | undefined): boolean {
  return value?.toLowerCase() === '100-continue';
}
