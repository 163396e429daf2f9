/** Two logs with one key that went apart: a home was copied, and both copies went on. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { callDraft, fill, makeScratchLog, openStore, scratchLog } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

/** The two of them. */
export interface ForkedLogs {
  readonly a: ScratchLog;
  readonly b: ScratchLog;
  /** Entries that both have. */
  readonly common: number;
}

/** Makes them in a folder; `a` and `b` are how many entries each has in the end. */
export function forkedLogs(
  folder: string,
  { common, a, b }: { readonly common: number; readonly a: number; readonly b: number },
): ForkedLogs {
  const homes = [join(folder, 'a'), join(folder, 'b')] as const;
  const store = openStore(makeScratchLog(homes[0]));
  fill(store, common - 1, 10);
  store.close();
  cpSync(homes[0], homes[1], { recursive: true });
  for (const [i, size] of [a, b].entries()) {
    const own = openStore(scratchLog(homes[i] ?? ''));
    own.append(Array.from({ length: size - common }, (_, entry) => callDraft(`/${i}/${entry}`)));
    own.close();
  }
  return { a: scratchLog(homes[0]), b: scratchLog(homes[1]), common };
}
