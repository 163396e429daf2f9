/** A script: changes every byte of a 200-entry log in turn. Exit 1 where one was not found, or blamed on another entry. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { isFound, logOf200, stretchesOf, verdictWithFlip } from './damaged-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-flip-'));
const log = logOf200(folder);
let bytes = 0;
let missed = 0;
for (const stretch of stretchesOf(log)) {
  for (let at = stretch.start; at < stretch.end; at++) {
    const verdict = verdictWithFlip(log, at, 1 << Math.floor(Math.random() * 8));
    bytes++;
    if (isFound(verdict, stretch)) continue;
    missed++;
    console.error(`byte ${at} of ${JSON.stringify(stretch)}: ${JSON.stringify(verdict)}`);
  }
  if (stretch.kind === 'framing') console.log(`${bytes} bytes changed, ${missed} not found`);
}
rmSync(folder, { recursive: true });
process.exitCode = missed === 0 ? 0 : 1;
