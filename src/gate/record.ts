/** The two entries of a permitted call: its decision before the first upstream byte, its outcome after the last. */
import type { DenialCode } from '../denial/table.ts';
import type { EntryRequest } from '../lineage/lineage.ts';
import { draft } from '../lineage/statement.ts';
import type { Members, OutcomePredicate, Streamed } from '../lineage/statement.ts';
import { decisionPredicate } from './findings.ts';
import type { Findings } from './findings.ts';
import type { Address, Ended } from './outside.ts';

/** A direction in which nothing went. */
export const EMPTY: Streamed = {
  bytes: 0,
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  sha3_512:
    'a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a615b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26',
};

/** The entry that lets a call out. */
export function permitEntry(found: Findings, addresses: readonly Address[]): EntryRequest {
  const told = { addresses: addresses.map(addressText), reasons: [], verdict: 'permit' } as const;
  const predicate = decisionPredicate(found, told);
  return { ...draft('decision', found.id, predicate), receipt: false };
}

/** The entry that closes a permit. `id` is fresh: the outcome is a statement of its own. */
export function outcomeEntry(id: string, permit: number, ended: Ended): EntryRequest {
  const { by, dialled, grpc_status, status, usage } = ended;
  const predicate: Members<OutcomePredicate> = {
    by,
    dialled,
    duration_ms: Math.round(ended.duration_ms),
    ended: ended.ended,
    grpc_status,
    permit,
    request: ended.request,
    response: ended.response,
    status,
    usage,
  };
  return { ...draft('outcome', id, predicate), receipt: false, patient: true };
}

/** The end of a permit under which nothing was sent. */
export function neverSent(by: DenialCode): Ended {
  return { answered: false, by, duration_ms: 0, ended: 'cut', request: EMPTY, response: EMPTY };
}

/** `address:port` as it goes on record, IPv6 in brackets. */
export function addressText({ address, family, port }: Address): string {
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
