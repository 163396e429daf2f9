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
  readonly entries: readonly CheckedEntry[];
  /** Tree size → root in base64, for every head that was ever signed. */
  readonly roots: ReadonlyMap<number, string>;
  /** Entries that the `checkpoint` file vouches for. */
  readonly vouched: number;
  /** The size of the `checkpoint` file's tree, and its root in base64. */
  readonly checkpoint: { readonly size: number; readonly root: string };
  /** How many bytes at its end are no whole batch, and which. */
  readonly torn: number;
  readonly tornBytes: Buffer;
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
    check(
      Number.parseInt(name, 10) === reading.entries.length,
      `${name} does not follow the entries before it`,
    );
    reading.segment(readFileSync(join(folder, 'segments', name)), until);
  });
  const vouched = reading.vouched(readFileSync(join(folder, 'checkpoint'), 'utf8'));
  const { entries, roots, tornBytes } = reading;
  const checkpoint = { size: vouched, root: roots.get(vouched) ?? '' };
  return { entries, roots, vouched, checkpoint, torn: tornBytes.length, tornBytes };
}

/** Each full tile in a home that does not hold this log's hashes, as a sentence (c2sp.org/tlog-tiles). */
export function wrongTiles(home: string, { entries }: CheckedLog): readonly string[] {
  const folder = join(home, 'lineage', 'tile');
  if (!existsSync(folder)) return [];
  let level = 0;
  let hashes = entries.map(({ text }) => sha256(Buffer.of(0), Buffer.from(text)));
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
  readonly roots = new Map<number, string>();
  tornBytes: Buffer = Buffer.alloc(0);
  readonly #origin: string;
  readonly #tree = new CompactTree();
  #prev = '0'.repeat(128);
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
    check(until === Infinity || this.entries.length === until, 'a segment breaks off before the next begins');
    this.tornBytes = bytes.subarray(until === Infinity ? at : bytes.length);
  }

  /** The size in the `checkpoint` file, which must be one that this log had. */
  vouched(note: string): number {
    const size = Number(note.split('\n')[1]);
    check(
      this.#signer?.signed(note, size, this.roots.get(size) ?? '') === true,
      'the checkpoint is of another tree',
    );
    return size;
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
    check(prev === this.#prev, `entry ${here} does not follow the one before it`);
    this.#prev = createHash('blake2b512').update(bytes).digest('hex');
    this.#tree.push(bytes);
    this.entries.push(entry);
  }
}

/** RFC 6962 §2.1 as a stack of perfect subtrees, largest first. */
class CompactTree {
  readonly #stack: Buffer[] = [];
  #size = 0;

  push(entry: Buffer): void {
    let hash = sha256(Buffer.of(0), entry);
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
