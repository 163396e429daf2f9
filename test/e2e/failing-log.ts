/** Makes the log of a running sidecar fail, as a full quota would: its next write is refused by the kernel. */
import { statSync } from 'node:fs';
import { layoutOf, listSegments } from '../../src/lineage/layout.ts';
import type { ChildSidecar } from './child-sidecar.ts';
import { run } from './program.ts';

/** No file of the process may grow past what the log has now. */
export async function fillLog({ home, pid }: ChildSidecar): Promise<void> {
  const segment = listSegments(layoutOf(home.path).segments).at(-1);
  if (!segment) throw new Error('the log has no segment');
  const { size } = statSync(segment.path);
  const { exit, stderr } = await run('prlimit', [`--pid=${pid}`, `--fsize=${size}`]);
  if (exit !== 0) throw new Error(`prlimit: ${stderr}`);
}
