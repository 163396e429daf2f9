/** A folder for one test's logs, in memory where the machine has such a file system: hundreds of syncs cost nothing there. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';

/** A fresh folder that is removed when the test ends. */
export function scratchFolder(t: { teardown(then: () => void): void }): string {
  const folder = mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'writ-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
