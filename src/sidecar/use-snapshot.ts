/**
 * The file `replay/uses`: use counts up to one size of the log, so that a start need not read it all. Two lines: a JSON
 * document `{"root","rows","size"}`, and its HMAC in hex, under a key derived from the log's: who can write the home but
 * not read its keys gives nobody a use back. Whatever is not exactly that counts as missing.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fromHex, toHex } from '../crypto/bytes.ts';
import type { SecretMark } from '../crypto/node.ts';
import type { CounterRow } from '../grant/uses.ts';
import { makeDirectory, replaceFile } from '../lineage/durable.ts';

/** Use counts over the first `size` entries of a log. */
export interface UseSnapshot {
  readonly size: number;
  /** The root of the log's tree at that size. */
  readonly root: Uint8Array;
  readonly rows: readonly CounterRow[];
}

/** What the mark on a snapshot is for. */
export const SNAPSHOT_PURPOSE = 'writ use snapshot v1';

/** Puts the snapshot in its place, in one step. */
export function writeSnapshot(path: string, { size, root, rows }: UseSnapshot, mark: SecretMark): void {
  const line = JSON.stringify({ root: toHex(root), rows, size });
  makeDirectory(dirname(path));
  replaceFile(path, `${line}\n${mark.of(line)}\n`);
}

/** The snapshot, or undefined where there is none, it is damaged, or somebody else made it. Whether it is of this log is not known yet. */
export function readSnapshot(path: string, mark: SecretMark): UseSnapshot | undefined {
  try {
    const [line = '', given = '', end, ...more] = readFileSync(path, 'utf8').split('\n');
    if (!mark.isOf(line, given) || end !== '' || more.length > 0) return undefined;
    return parse(JSON.parse(line));
  } catch {
    return undefined; // then everything is counted again
  }
}

function parse(value: unknown): UseSnapshot | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { root, rows, size } = value as Readonly<Record<string, unknown>>; // each is checked here
  const bytes = typeof root === 'string' ? fromHex(root) : undefined;
  if (!bytes || !isCount(size) || !Array.isArray(rows) || !rows.every(isRow)) return undefined;
  const names = new Set(rows.map(([name]) => name));
  return names.size === rows.length ? { size, root: bytes, rows } : undefined;
}

function isRow(value: unknown): value is CounterRow {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [name, used, expires] = value as readonly unknown[];
  return typeof name === 'string' && isCount(used) && isCount(expires);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
