/**
 * A second opinion on a log, from its files and its origin alone. It shares no code with the sidecar: framing, chain
 * (BLAKE2b-512), tree (RFC 6962), notes (C2SP) and signatures (Ed25519) are read here by themselves, with node:crypto.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** What these tests look at in a statement. */
export interface Predicate {
  readonly entry: { readonly origin: string; readonly prev: string; readonly seq: number };
  readonly verdict?: 'permit' | 'deny';
  readonly code?: string;
  readonly call?: { readonly path?: string };
  /** Of an outcome: the permit that it closes. */
  readonly permit?: number;
  readonly ended?: string;
  readonly by?: string;
  readonly recovered?: number;
  /** Of a gap: what made it. */
  readonly cause?: string;
  /** Of a pruning: entries `first` to `until` − 1 may be gone, and the root (hex) of the tree of the first `until` entries. */
  readonly first?: number;
  readonly until?: number;
  readonly root?: string;
  /** Of a gap: what was cut, and the file in `torn/` that keeps it. */
  readonly torn?: { readonly bytes: number; readonly file: string };
  readonly log_key?: { readonly x: string };
}

/** One entry that was checked. */
export interface CheckedEntry {
  readonly seq: number;
  /** The entry, byte for byte. */
  readonly text: string;
  /** `decision`, `outcome`, `gap` … */
  readonly type: string;
  /** The UUID of its subject. */
  readonly id: string;
  readonly is: Predicate;
}

/** A log without a fault. */
export interface CheckedLog {
  /** By number. Pruned ones are not there: `map` and its like pass them over. */
  readonly entries: readonly CheckedEntry[];
  /** The leaf hash of every entry; of pruned ones, as the tiles have it. */
  readonly leaves: readonly Buffer[];
  /** The first entry after those that were pruned; 1 where none were. */
  readonly prunedUntil: number;
  /** Tree size → root in base64, for every head that was ever signed. */
  readonly roots: ReadonlyMap<number, string>;
  /** Entries that the `checkpoint` file vouches for. */
  readonly vouched: number;
  /** The size of the `checkpoint` file's tree, and its root in base64. */
  readonly checkpoint: { readonly size: number; readonly root: string };
  /** How many bytes at its end are no whole batch, and which. */
  readonly torn: number;
  readonly tornBytes: Buffer;
  /** Whether this note is signed by the log's key, over a tree that this log had. */
  readonly isHead: (note: string) => boolean;
}

/** One batch, as it lies in a file. */
export interface RawBatch {
  readonly first: number;
  readonly entries: readonly Buffer[];
  readonly size: number;
  readonly root: Buffer;
  readonly head: string;
  readonly length: number;
}

const MAGIC = Buffer.from('ff574201', 'hex');
const HEADER = 20;
const TRAILER = 42;
const CRC = 4;
const TILE_BYTES = 256 * 32;

/** The whole batch at the beginning of `bytes`, or undefined where there is none or its checksum is wrong. */
export function readBatch(bytes: Buffer): RawBatch | undefined {
  if (bytes.length < HEADER || !bytes.subarray(0, 4).equals(MAGIC)) return undefined;
  const trailer = HEADER + bytes.readUInt32BE(16);
  if (bytes.length < trailer + TRAILER) return undefined;
  const end = trailer + TRAILER + bytes.readUInt16BE(trailer + 40);
  if (bytes.length < end + CRC || bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) return undefined;
  const entries: Buffer[] = [];
  for (let at = HEADER; at < trailer; at += 2 + bytes.readUInt16BE(at))
    entries.push(bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at)));
  check(entries.length === bytes.readUInt32BE(12), 'a batch counts its entries wrongly');
  return {
    first: Number(bytes.readBigUInt64BE(4)),
    entries,
    size: Number(bytes.readBigUInt64BE(trailer)),
    root: bytes.subarray(trailer + 8, trailer + 40),
    head: bytes.subarray(trailer + TRAILER, end).toString(),
    length: end + CRC,
  };
}

/** The statement in an entry. */
export function readStatement(bytes: Buffer): CheckedEntry {
  const text = bytes.toString();
  const { predicateType, subject, predicate } = JSON.parse(text) as {
    predicateType: string;
    subject: [{ name: string }];
    predicate: Predicate;
  }; // a wrong shape fails the checks on its members
  const type = /^urn:writ:(\w+):v1$/.exec(predicateType)?.[1] ?? '';
  return {
    seq: predicate.entry.seq,
    text,
    type,
    id: subject[0].name.slice('urn:uuid:'.length),
    is: predicate,
  };
}

/** Checks the whole log of a home. Throws with a sentence at the first thing that is not as it must be. */
export function checkLog(home: string, origin: string): CheckedLog {
  const folder = join(home, 'lineage');
  const names = readdirSync(join(folder, 'segments')).filter((name) => /^\d{16}\.log$/.test(name));
  const reading = new Reading(origin);
  names.sort().forEach((name, i) => {
    const until = names[i + 1] === undefined ? Infinity : Number.parseInt(names[i + 1] ?? '', 10);
    const first = Number.parseInt(name, 10);
    if (first > 1 && reading.entries.length === 1) reading.skip(first, join(folder, 'tile', '0'));
    check(first === reading.entries.length, `${name} does not follow the entries before it`);
    reading.segment(readFileSync(join(folder, 'segments', name)), until);
  });
  const vouched = reading.vouched(readFileSync(join(folder, 'checkpoint'), 'utf8'));
  const { entries, leaves, roots, prunedUntil, tornBytes } = reading;
  checkPrunings(reading, vouched, join(folder, 'pruned'));
  const checkpoint = { size: vouched, root: roots.get(vouched) ?? '' };
  const isHead = (note: string): boolean => reading.isHead(note);
  return {
    entries,
    leaves,
    prunedUntil,
    roots,
    vouched,
    checkpoint,
    torn: tornBytes.length,
    tornBytes,
    isHead,
  };
}

/** The root of the tree of the first `size` entries, base64; undefined where the log never had a head of that size. */
export function rootAt(
  { roots, leaves, prunedUntil }: Pick<CheckedLog, 'roots' | 'leaves' | 'prunedUntil'>,
  size: number,
): string | undefined {
  const isGone = size > 1 && size <= prunedUntil && prunedUntil > 1; // the head, with its entries
  return isGone ? rootOf(leaves.slice(0, size)).toString('base64') : roots.get(size);
}

/**
 * What is missing was pruned: an entry under the checkpoint file says so, with the root of what is gone. The note beside
 * the log names such an entry.
 */
function checkPrunings(
  { entries, leaves, prunedUntil }: Pick<CheckedLog, 'entries' | 'leaves' | 'prunedUntil'>,
  vouched: number,
  note: string,
): void {
  const prunings = entries.filter(({ type, is }) => type === 'gap' && is.cause === 'pruned');
  for (const { seq, is } of prunings) {
    const { first, until = 0, root } = is;
    check(first === 1 && until > 1 && until <= seq, `entry ${seq} does not say what was pruned`);
    check(
      rootOf(leaves.slice(0, until)).toString('hex') === root,
      `entry ${seq} has another root of what was pruned`,
    );
  }
  const told = prunings.some(({ seq, is }) => (is.until ?? 0) >= prunedUntil && seq < vouched);
  check(
    prunedUntil === 1 || told,
    `entries 1 to ${prunedUntil - 1} are missing, and no entry says that they were pruned`,
  );
  if (!existsSync(note)) return;
  const noted = readFileSync(note, 'utf8');
  check(
    prunings.some(({ seq }) => `${seq}\n` === noted),
    `the note of the pruning says ${noted}`,
  );
}

/** Each full tile in a home that does not hold this log's hashes, as a sentence (c2sp.org/tlog-tiles). */
export function wrongTiles(home: string, { leaves }: CheckedLog): readonly string[] {
  const folder = join(home, 'lineage', 'tile');
  if (!existsSync(folder)) return [];
  let level = 0;
  let hashes = leaves;
  const wrong: string[] = [];
  for (; existsSync(join(folder, String(level))); level++) {
    for (let tile = 0; tile < Math.floor(hashes.length / 256); tile++) {
      const path = join(folder, String(level), tileName(tile));
      const wanted = Buffer.concat(hashes.slice(tile * 256, (tile + 1) * 256));
      if (!existsSync(path) || !readFileSync(path).equals(wanted))
        wrong.push(`${path} is not a tile of this log`);
    }
    for (let row = 0; row < 8; row++) hashes = parents(hashes);
  }
  return wrong;
}

function parents(hashes: readonly Buffer[]): Buffer[] {
  return Array.from({ length: Math.floor(hashes.length / 2) }, (_, i) =>
    sha256(Buffer.of(1), ...hashes.slice(2 * i, 2 * i + 2)),
  );
}

function tileName(index: number): string {
  const last = String(index % 1000).padStart(3, '0');
  const before = Math.floor(index / 1000);
  return before === 0 ? last : `x${tileName(before).split('/').join('/x')}/${last}`;
}

class Reading {
  readonly entries: CheckedEntry[] = [];
  readonly leaves: Buffer[] = [];
  prunedUntil = 1;
  readonly roots = new Map<number, string>();
  tornBytes: Buffer = Buffer.alloc(0);
  readonly #origin: string;
  readonly #tree = new CompactTree();
  /** Undefined after what was pruned: the signed root vouches for what the next entry says of the one before. */
  #prev: string | undefined = '0'.repeat(128);
  #signer: Signer | undefined;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Takes a segment's batches up to entry `until`; only the last segment may end in something else. */
  segment(bytes: Buffer, until: number): void {
    let at = 0;
    for (
      let batch = readBatch(bytes);
      batch && this.entries.length < until;
      batch = readBatch(bytes.subarray(at))
    ) {
      this.#batch(batch);
      at += batch.length;
    }
    const isGenesis = this.entries.length === 1 && at === bytes.length;
    const isWhole = until === Infinity || this.entries.length === until;
    check(isWhole || isGenesis, 'a segment breaks off before the next begins');
    this.tornBytes = bytes.subarray(until === Infinity ? at : bytes.length);
  }

  /** Passes over entries 1 to `until` − 1, of which full tiles have the hashes. */
  skip(until: number, tiles: string): void {
    for (let tile = 0; tile * 256 < until; tile++) {
      const path = join(tiles, tileName(tile));
      const bytes = existsSync(path) ? readFileSync(path) : Buffer.of();
      check(bytes.length === TILE_BYTES, `${path}, a tile of entries that are gone, is missing`);
      for (let seq = tile * 256; seq < Math.min(until, tile * 256 + 256); seq++) {
        const leaf = bytes.subarray((seq % 256) * 32, (seq % 256) * 32 + 32);
        if (seq === 0) check(leaf.equals(this.leaves[0] ?? Buffer.of()), 'entry 0 is not in its tile');
        else this.#grow(leaf);
      }
    }
    this.entries.length = until;
    this.prunedUntil = until;
    this.#prev = undefined;
  }

  isHead(note: string): boolean {
    const size = Number(note.split('\n')[1]);
    return this.#signer?.signed(note, size, rootAt(this, size) ?? '') === true;
  }

  /** The size in the `checkpoint` file, which must be one that this log had. */
  vouched(note: string): number {
    check(this.isHead(note), 'the checkpoint is of another tree');
    return Number(note.split('\n')[1]);
  }

  #batch({ first, entries, size, root, head }: RawBatch): void {
    check(first === this.entries.length, `a batch begins with ${first} after ${this.entries.length} entries`);
    for (const entry of entries) this.#entry(entry);
    check(size === this.entries.length, `a batch that ends at ${this.entries.length} says ${size}`);
    check(root.equals(this.#tree.root()), `the root after ${size} entries is another`);
    this.roots.set(size, root.toString('base64'));
    this.#signer ??= signerOf(this.#origin, this.entries[0]?.is.log_key?.x ?? '');
    check(this.#signer.signed(head, size, root.toString('base64')), `the head of ${size} is not signed`);
  }

  #entry(bytes: Buffer): void {
    const entry = readStatement(bytes);
    const { origin, prev, seq } = entry.is.entry;
    const here = this.entries.length;
    check(origin === this.#origin && seq === here, `entry ${here} says that it is ${seq} of ${origin}`);
    check(this.#prev === undefined || prev === this.#prev, `entry ${here} does not follow the one before it`);
    this.#prev = createHash('blake2b512').update(bytes).digest('hex');
    this.#grow(leafOf(bytes));
    this.entries.push(entry);
  }

  #grow(leaf: Buffer): void {
    this.#tree.push(leaf);
    this.leaves.push(leaf);
  }
}

/** RFC 6962 §2.1: the hash of an entry. */
export function leafOf(entry: Buffer): Buffer {
  return sha256(Buffer.of(0), entry);
}

function rootOf(leaves: readonly Buffer[]): Buffer {
  const tree = new CompactTree();
  for (const leaf of leaves) tree.push(leaf);
  return tree.root();
}

/** RFC 6962 §2.1 as a stack of perfect subtrees, largest first. */
class CompactTree {
  readonly #stack: Buffer[] = [];
  #size = 0;

  push(leaf: Buffer): void {
    let hash = leaf;
    for (let rest = this.#size++; rest % 2 === 1; rest = (rest - 1) / 2)
      hash = sha256(Buffer.of(1), this.#stack.pop() ?? Buffer.of(), hash);
    this.#stack.push(hash);
  }

  root(): Buffer {
    return this.#stack.reduceRight((right, left) => sha256(Buffer.of(1), left, right));
  }
}

interface Signer {
  /** Whether this note is the checkpoint of exactly this tree, signed by the log's key. */
  signed(note: string, size: number, root: string): boolean;
}

function signerOf(origin: string, x: string): Signer {
  const raw = Buffer.from(x, 'base64url');
  check(
    origin.endsWith(`/${sha256(raw).toString('hex').slice(0, 16)}`),
    'the log is named after another key',
  );
  const key: KeyObject = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const id = sha256(Buffer.from(`${origin}\n`), Buffer.of(1), raw).subarray(0, 4);
  const signed = (note: string, size: number, root: string): boolean => {
    const text = `${origin}\n${size}\n${root}\n`;
    const line = `${text}\n— ${origin} `;
    const signature = Buffer.from(note.slice(line.length), 'base64');
    if (!note.startsWith(line) || signature.length !== 68 || !signature.subarray(0, 4).equals(id))
      return false;
    return verify(null, Buffer.from(text), key, signature.subarray(4));
  };
  return { signed };
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
