/** Copies sealed segments out of a home, and believes a copy only once it was read back. */
import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readFileSync, readSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isThere } from '../config/file-fault.ts';
import { makeDirectory, replaceFile, syncDirectory, syncFile } from './durable.ts';
import type { SegmentName } from './layout.ts';

/** A segment in an archive. */
export interface ArchivedSegment {
  readonly name: string;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** Whether it was copied now: it may have stood there already. */
  readonly copied: boolean;
}

/** What is copied, and where. */
export interface ArchiveOrder {
  readonly segments: readonly SegmentName[];
  readonly folder: string;
  /** The signed checkpoint that covers them, put beside them. */
  readonly checkpoint: string;
}

/** The list of digests in an archive, as `sha256sum -c` reads it. */
const DIGESTS = 'SHA256SUMS';

/**
 * Copies segments, their digests and the checkpoint. Durable, and read back, on return. Throws where a copy is not the
 * same, or where another file of its name stands there.
 */
export function archiveSegments({ segments, folder, checkpoint }: ArchiveOrder): readonly ArchivedSegment[] {
  makeDirectory(folder);
  const archived = segments.map((segment) => archive(segment.path, folder));
  const names = new Set(archived.map(({ name }) => name));
  const others = readDigests(folder).filter(([name]) => !names.has(name));
  const lines = [...others, ...archived.map(({ name, sha256 }) => [name, sha256] as const)];
  const text = lines
    .map(([name, sha256]) => `${sha256}  ${name}\n`)
    .sort(byName)
    .join('');
  replaceFile(join(folder, DIGESTS), text);
  replaceFile(join(folder, 'checkpoint'), checkpoint);
  return archived;
}

/** The first segment that is not in the archive as it is here; undefined where all are. */
export function notArchived(segments: readonly SegmentName[], folder: string): string | undefined {
  const missing = segments.find(({ path }) => {
    const copy = join(folder, basename(path));
    return !isThere(copy) || digestOf(copy) !== digestOf(path);
  });
  return missing && basename(missing.path);
}

function archive(path: string, folder: string): ArchivedSegment {
  const name = basename(path);
  const target = join(folder, name);
  const sha256 = digestOf(path);
  const copied = !isThere(target);
  if (copied) {
    copyFileSync(path, `${target}.tmp`);
    syncFile(`${target}.tmp`);
    renameSync(`${target}.tmp`, target);
    syncDirectory(folder);
  }
  if (digestOf(target) === sha256) return { name, sha256, copied };
  throw new Error(
    `${target} is not the same as ${path}: it is another log’s, or was not copied as it should`,
  );
}

function digestOf(path: string): string {
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(1024 * 1024);
    for (let got = readSync(fd, bytes); got > 0; got = readSync(fd, bytes))
      hash.update(bytes.subarray(0, got));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

function readDigests(folder: string): readonly (readonly [name: string, sha256: string])[] {
  if (!isThere(join(folder, DIGESTS))) return [];
  const lines = readFileSync(join(folder, DIGESTS), 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, sha256, name] = /^([0-9a-f]{64}) {2}(\d{16}\.log)$/.exec(line) ?? [];
    return sha256 !== undefined && name !== undefined ? [[name, sha256] as const] : [];
  });
}

function byName(a: string, b: string): number {
  return a.slice(64) < b.slice(64) ? -1 : 1;
}
