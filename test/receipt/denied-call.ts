/** Real denials out of a real log, for tests. */
import { sha256Hex } from '../../src/crypto/node.ts';
import { denialOf, problemOf, shownDigest } from '../../src/gate/denial.ts';
import { proofText } from '../../src/lineage/proof.ts';
import { draft, refusalText } from '../../src/lineage/statement.ts';
import { formatTrust } from '../../src/receipt/trust-file.ts';
import { fill, makeScratchLog, openStore } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';

/** The id of the denied call. */
export const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

/** What a denial is to be made of; every member has a good default. */
export interface Wanted {
  /** Members of the signed predicate that are other than usual. */
  readonly predicate?: object;
  /** Another signed text than the one that the predicate gives. */
  readonly statement?: (text: string) => string;
  /** Sign a refusal that is not recorded. */
  readonly unrecorded?: boolean;
  /** What the body shows, when it is not what was signed. */
  readonly shown?: object;
  readonly proof?: (text: string) => string;
}

/** A denial's body, and the trust file that it verifies under. */
export interface Denied {
  readonly body: string;
  readonly trust: string;
  readonly log: ScratchLog;
}

/** A log of 9 entries whose last one is this denial. */
export function deniedCall(home: string, wanted: Wanted = {}): Denied {
  const log = makeScratchLog(home);
  const store = openStore(log);
  fill(store, 7);
  const problem = problemOf({
    id: ID,
    code: 'policy_denied',
    reasons: ['a.b', 'ü'],
    salt: Buffer.alloc(16, 7),
    status: 403,
  });
  const call = {
    content: null,
    headers: sha256Hex(''),
    method: 'GET',
    origin: 'http://a.example',
    path: '/ü/"x"',
  };
  const predicate = {
    assurance: { seen: 'inspected', tier: 'cooperative' },
    call,
    code: 'policy_denied',
    evaluated: true,
    grant: null,
    reasons: ['a.b', 'ü'],
    settings: 1,
    shown: shownDigest(problem),
    verdict: 'deny',
    ...(wanted.unrecorded && {
      at: '2026-01-02T03:04:05.678Z',
      origin: log.identity.origin,
      why: 'aggregated',
    }),
    ...wanted.predicate,
  };
  const text = (given: string): Buffer => Buffer.from(wanted.statement?.(given) ?? given);
  const shown = { ...problem, ...wanted.shown };
  const trust = formatTrust(log.identity.receiptKey, log.identity.logKey);
  if (wanted.unrecorded) {
    const receipt = log.seal.receipt(text(refusalText(ID, predicate)));
    store.close();
    return { body: denialOf(ID, shown, { receipt, proof: null }).body, trust, log };
  }
  const appended = store.append([draft('decision', ID, predicate)]);
  const entry = Buffer.from(appended.entries[0] ?? []).toString();
  const hashes = (store.inclusion(appended.first) ?? []).map((hash) => Buffer.from(hash).toString('base64'));
  const proof = proofText(appended.first, hashes, store.head);
  const receipt = log.seal.receipt(text(entry));
  store.close();
  return { body: denialOf(ID, shown, { receipt, proof: wanted.proof?.(proof) ?? proof }).body, trust, log };
}
