/** Where the grant stands in a head: found here, understood in `grant/`. */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Credential } from './call.ts';
import type { HeaderSection } from './headers.ts';

const CARRIERS = ['writ-grant', 'proxy-authorization'] as const;

/** The one grant header, undefined where there is none, `grant_ambiguous` where there are more (design.md §5). */
export function findCredential({ values }: HeaderSection): Outcome<Credential | undefined> {
  const found = CARRIERS.flatMap((from) => (values.get(from) ?? []).map((text) => ({ from, text })));
  if (found.length > 1) return deny('grant_ambiguous', found.map(({ from }) => from).join(', '));
  return pass(found[0]);
}
