/** Denials whose body a client swallowed: had again by their id, as its holder would. */
import type { Test } from 'tap';
import type { ChildSidecar } from '../e2e/child-sidecar.ts';
import type { Denied, Expected } from '../e2e/denied.ts';
import { assertRefused } from './stage.ts';
import type { Stage } from './stage.ts';

/** What the client kept. */
export interface Kept extends Expected {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Asks for the body with the grant that was refused, and checks it with the headers that the client kept. */
export async function assertSwallowed(
  t: Test,
  stage: Pick<Stage, 'sidecar' | 'home'>,
  grant: string,
  kept: Kept,
): Promise<Denied> {
  const [, id = ''] = /^deny; id="([^"]+)"/.exec(kept.headers['writ-decision'] ?? '') ?? [];
  return assertRefused(t, stage.home, { ...kept, body: await fetchDenial(stage.sidecar, id, grant) });
}

/** The denial of an id, asked for with the grant that was refused. */
export async function fetchDenial(sidecar: ChildSidecar, id: string, grant: string): Promise<string> {
  const url = `http://127.0.0.1:${sidecar.port('admin')}/.well-known/writ/receipt/${id}`;
  const response = await fetch(url, { headers: { 'writ-grant': grant } });
  return response.text();
}
