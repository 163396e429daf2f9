/** Finds a view of a log wherever somebody has one: a file, a home, a folder of tiles, a URL. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere } from '../config/file-fault.ts';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { parseStrictJson } from '../crypto/json.ts';
import { node } from '../crypto/node.ts';
import { verifyCheckpoint } from '../lineage/checkpoint.ts';
import type { LogView } from '../lineage/witness/fork-compare.ts';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { LogLayout } from '../lineage/layout.ts';
import { HASH_LENGTH } from '../lineage/merkle.ts';
import type { NoteKey } from '../lineage/note.ts';
import { parseProof } from '../lineage/proof.ts';
import { TILE_WIDTH } from '../lineage/tiles/tile.ts';
import { resourcePath } from '../lineage/tiles/path.ts';
import type { GiveTile } from '../lineage/tiles/proof.ts';
import { tilesFromFiles } from '../lineage/tiles/source.ts';
import { firstBytes } from '../sidecar/first-bytes.ts';
import { unable } from './exit.ts';
import { readGiven } from './result-file.ts';
import { memberOf, textOf } from './statement-fields.ts';

/** Gives the bytes of a resource of a log, or undefined. */
type Fetch = (path: string) => Promise<Uint8Array | undefined>;

const PATIENCE_MS = 10_000;
const MAX_BYTES = 131_072;

/** The home's log, where `place` is one. */
export function homeAt(place: string): LogLayout | undefined {
  if (isUrl(place)) return undefined;
  const layout = layoutOf(place);
  return isThere(layout.segments) ? layout : undefined;
}

/** The key of the log of a home, as its entry 0 says. */
export function keyOfHome(place: string | undefined): NoteKey | undefined {
  const layout = place === undefined ? undefined : homeAt(place);
  return layout && readIdentity(layout).logKey;
}

/** The view that is at `place`, under one of these log keys. A command failure where there is none. */
export async function viewAt(place: string, keys: readonly NoteKey[]): Promise<LogView> {
  const { note, tiles } = await unverifiedAt(place);
  const head = verifyCheckpoint(node, note, keys);
  if (!head)
    throw unable(
      `${place} has no checkpoint that a trusted log key signed`,
      'Name the key with --trust, and a checkpoint, proof or denial, a home, a folder of tiles or a URL.',
    );
  return { head, note, ...(tiles && { tiles }) };
}

interface UnverifiedView {
  readonly note: string;
  readonly tiles?: GiveTile;
}

async function unverifiedAt(place: string): Promise<UnverifiedView> {
  if (isUrl(place)) return fetched(overHttp(place), place);
  const home = homeAt(place);
  if (home) return { note: await readGiven(home.checkpoint), tiles: tilesFromFiles(home) };
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory())
    return fetched((path) => readFile(join(place, path)).catch(() => undefined), place);
  return { note: checkpointIn(await readGiven(place)) };
}

/** The checkpoint in a text: of a proof, of a denial, or the text itself. */
export function checkpointIn(text: string): string {
  const proof = textOf(memberOf(parseStrictJson(text.trimEnd()), 'proof')) ?? text;
  return parseProof(proof)?.checkpoint ?? proof;
}

async function fetched(fetch: Fetch, place: string): Promise<UnverifiedView> {
  const note = decodeUtf8((await fetch('checkpoint')) ?? new Uint8Array(0));
  if (!note) throw unable(`${place} gives no checkpoint`);
  return { note, tiles: tilesOver(fetch) };
}

/** A partial tile may be gone once the full one is there (c2sp.org/tlog-tiles). */
function tilesOver(fetch: Fetch): GiveTile {
  return async (address, width) => {
    const partial = await fetch(resourcePath({ kind: 'tile', address, width }));
    if (partial || width === TILE_WIDTH) return partial;
    const full = await fetch(resourcePath({ kind: 'tile', address, width: TILE_WIDTH }));
    return full?.subarray(0, width * HASH_LENGTH);
  };
}

function overHttp(prefix: string): Fetch {
  const base = prefix.endsWith('/') ? prefix : `${prefix}/`;
  return async (path) => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch(new URL(path, base), { signal }).catch((cause: unknown) => {
      throw unable(
        `${prefix} cannot be asked: ${cause instanceof Error ? String(cause.cause ?? cause) : ''}`,
      );
    });
    if (response.ok) return firstBytes(response, MAX_BYTES);
    await response.body?.cancel();
    return undefined;
  };
}

function isUrl(place: string): boolean {
  return /^https?:\/\//.test(place);
}
