/** Real logs in temporary folders, for tests. */
import { createLog } from '../../src/lineage/create.ts';
import { readIdentity, readLogKeys } from '../../src/lineage/identity.ts';
import type { LogIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import type { LogLayout } from '../../src/lineage/layout.ts';
import { signHead } from '../../src/lineage/seal.ts';
import type { Seal } from '../../src/lineage/seal.ts';
import { draft } from '../../src/lineage/statement.ts';
import type { Draft } from '../../src/lineage/statement.ts';
import { Store } from '../../src/lineage/store.ts';
import { signReceipt } from '../../src/receipt/sign.ts';

/** A time that tests can tell from the real one. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** A log on disk that no writer has open. */
export interface ScratchLog {
  readonly home: string;
  readonly layout: LogLayout;
  readonly identity: LogIdentity;
  readonly seal: Seal;
}

/** Makes a log with its entry 0. */
export function makeScratchLog(home: string): ScratchLog {
  createLog({ home, name: 'localhost/writ', now: NOW });
  return scratchLog(home);
}

/** A log that was made before. */
export function scratchLog(home: string): ScratchLog {
  const layout = layoutOf(home);
  const identity = readIdentity(layout);
  const keys = readLogKeys(layout, identity);
  const seal: Seal = {
    head: (head) => signHead(keys.log, identity.logKey, head),
    receipt: (statement) => signReceipt(keys.receipt, statement),
  };
  return { home, layout, identity, seal };
}

/** Opens its store in this thread, without a lock. */
export function openStore(
  { layout, identity, seal }: ScratchLog,
  segmentBytes = 64 * 1024 * 1024,
  { clock = (): number => NOW, segmentSeconds = 86_400 } = {},
): Store {
  return new Store({ layout, logKey: identity.logKey, seal, clock, segmentBytes, segmentSeconds });
}

/** The draft of a small decision; `path` tells one from the other. */
export function callDraft(path: string, members: object = {}): Draft {
  const call = { content: null, headers: '00', method: 'GET', origin: 'http://127.0.0.1:1', path };
  return draft('decision', '00000000-0000-4000-8000-000000000000', {
    call,
    evaluated: false,
    grant: null,
    reasons: [],
    settings: 1,
    verdict: 'permit',
    ...members,
  });
}

/** Appends `count` small entries, `perBatch` in one batch. */
export function fill(store: Store, count: number, perBatch = 1): void {
  for (let done = 0; done < count; done += perBatch) {
    const drafts = Array.from({ length: Math.min(perBatch, count - done) }, (_, i) =>
      callDraft(`/${done + i}`),
    );
    store.append(drafts);
  }
}
