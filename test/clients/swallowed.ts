/** Denials whose body a client swallowed: had again by their id, as its holder would. */
import type { Test } from 'tap';
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
export async function assertSwallowed(t: Test, stage: Stage, grant: string, kept: Kept): Promise<Denied> {
  const [, id = ''] = /^deny; id="([^"]+)"/.exec(kept.headers['writ-decision'] ?? '') ?? [];
  const admin = `http://127.0.0.1:${stage.sidecar.port('admin')}`;
  const response = await fetch(`${admin}/.well-known/writ/receipt/${id}`, {
    headers: { 'writ-grant': grant },
  });
  return assertRefused(t, stage.home, { ...kept, body: await response.text() });
}
