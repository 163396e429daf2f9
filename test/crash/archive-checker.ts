/** A second opinion on an archive (`writ lineage archive`), from its files and the log that they were taken out of. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { leafOf, readBatch } from './checker.ts';
import type { CheckedLog } from './checker.ts';

/** What is wrong with the archive in a folder, as sentences; none where every file is as it was, and all of this log. */
export function archiveFaults(folder: string, log: CheckedLog): readonly string[] {
  const names = readdirSync(folder).filter((name) => /^\d{16}\.log$/.test(name));
  const listed = new Map(
    [...readFileSync(join(folder, 'SHA256SUMS'), 'utf8').matchAll(/^([0-9a-f]{64}) {2}(.+)$/gm)].map(
      ([, digest = '', name = '']) => [name, digest] as const,
    ),
  );
  const missing = [...listed.keys()].filter((name) => !names.includes(name));
  const isHead = log.isHead(readFileSync(join(folder, 'checkpoint'), 'utf8'));
  return [
    ...missing.map((name) => `${name} is listed, and not there`),
    ...(isHead ? [] : ['its checkpoint is not of this log']),
    ...names.flatMap((name) =>
      fileFaults(name, readFileSync(join(folder, name)), { log, digest: listed.get(name) }),
    ),
  ];
}

function fileFaults(
  name: string,
  bytes: Buffer,
  { log, digest }: { readonly log: CheckedLog; readonly digest: string | undefined },
): readonly string[] {
  if (createHash('sha256').update(bytes).digest('hex') !== digest) return [`${name} has another digest`];
  const found: string[] = [];
  let seq = Number.parseInt(name, 10);
  let rest = bytes;
  for (let batch = readBatch(rest); batch; batch = readBatch(rest)) {
    if (batch.first !== seq) found.push(`${name} has entry ${batch.first} where ${seq} should be`);
    for (const entry of batch.entries)
      if (!log.leaves[seq++]?.equals(leafOf(entry)))
        found.push(`${name}: entry ${seq - 1} is not of this log`);
    rest = rest.subarray(batch.length);
  }
  return rest.length === 0 ? found : [...found, `${name} breaks off`];
}
