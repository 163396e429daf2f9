/**
 * An intercepted CONNECT is not a call (formats.md §2): it opens a way for calls, each of which is decided on its own. It
 * is on record before it opens; nothing is counted, and nothing dialled.
 */
import type { Call } from '../call/call.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Grant } from '../grant/grant.ts';
import { coverTunnel } from '../grant/scope.ts';
import type { EntryRequest } from '../lineage/lineage.ts';
import { draft } from '../lineage/statement.ts';
import { recordedGrant } from './findings.ts';
import type { Findings } from './findings.ts';
import type { Rules } from './rules.ts';

/** Whether a call is a CONNECT whose inside will be read. */
export function isIntercepted({ action, host, port }: Call, { passthrough }: Rules): boolean {
  return action === 'CONNECT' && !passthrough.has(`${host}:${port}`);
}

/** The entry of a tunnel whose host and port a grant names, made before its 200; or why it may not open. */
export function tunnelEntry(
  found: Findings,
  { call, grant }: { readonly call: Call; readonly grant: Grant },
): Outcome<EntryRequest> {
  const covered = coverTunnel(grant, call);
  if (!covered.ok) return covered;
  const { host, port } = call;
  const predicate = { grant: recordedGrant(found), host, port, settings: found.rules.settings };
  return { ok: true, value: { ...draft('tunnel', found.id, predicate), receipt: false } };
}
