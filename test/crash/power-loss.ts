/**
 * What a disk may hold after the power went, from what a process asked of its kernel until then. Only what a sync covered
 * is certain: of everything after it any sectors and any names may be there or not, names of one folder in their order.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SystemCall } from './trace.ts';

/** Numbers below a bound. */
export type Random = (below: number) => number;

/** What becomes of what was not synced: nothing of it, all of it, the names but not the bytes, or any part. */
export const LOSSES = ['all is lost', 'nothing is lost', 'bytes are lost', 'any of it'] as const;

/** One of them. */
export type Loss = (typeof LOSSES)[number];

const SECTOR = 512;

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly length: number };

/** A file, a link (its bytes name its target) or, where `folder`, a directory. */
class Inode {
  readonly folder: boolean;
  /** Of a file: its bytes as of the last sync, and what was done to it since. */
  durable: Buffer;
  readonly changes: Change[] = [];
  current: Buffer;

  constructor(durable: Buffer | undefined) {
    this.folder = durable === undefined;
    this.durable = durable ?? Buffer.alloc(0);
    this.current = this.durable;
  }

  change(change: Change): void {
    this.changes.push(change);
    this.current = apply(this.current, change);
  }

  sync(): void {
    this.durable = this.current;
    this.changes.length = 0;
  }

  /** The bytes after the power went. */
  left(loss: Loss, random: Random): Buffer {
    switch (loss) {
      case 'all is lost':
        return this.durable;
      case 'nothing is lost':
        return this.current;
      case 'bytes are lost':
        return this.changes.map(zeroed).reduce<Buffer>(apply, this.durable);
      case 'any of it':
        return this.changes
          .slice(0, random(this.changes.length + 1))
          .flatMap((change) => sectorsOf(change, random))
          .reduce<Buffer>(apply, this.durable);
    }
  }
}

/** A name that came, went, or both. */
interface Naming {
  readonly path: string;
  readonly inode: Inode | undefined;
}

/** A file system below one folder. */
export class Disk {
  readonly #root: string;
  /** What names a start after the crash would see at least, and what changed in each folder since its last sync. */
  readonly #durable = new Map<string, Inode>();
  readonly #current = new Map<string, Inode>();
  readonly #namings = new Map<string, Naming[]>();
  readonly #open = new Map<
    number,
    { readonly inode: Inode; readonly path: string; at: number; readonly append: boolean }
  >();

  /** As the folder is now: all of it durable. */
  constructor(root: string) {
    this.#root = root;
    for (const entry of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      const path = join(root, entry);
      const inode = new Inode(statSync(path).isDirectory() ? undefined : readFileSync(path));
      this.#durable.set(path, inode);
      this.#current.set(path, inode);
    }
  }

  /** Takes one call; those on other files do nothing. */
  take({ name, on, rest, bytes, result }: SystemCall): void {
    if (result < 0) return;
    const fd = Number.parseInt(on, 10);
    const file = this.#open.get(fd);
    const numbers = [...rest.matchAll(/, (\d+)/g)].map(([, digits]) => Number(digits));
    const paths = [...rest.matchAll(/"([^"]*)"/g)].map(([, path = '']) => path);
    switch (name) {
      case 'openat':
        return this.#opened(paths[0] ?? '', rest, result);
      case 'write':
        return file && this.#write(file, bytes.subarray(0, result));
      case 'pwrite64':
        return file?.inode.change({ at: numbers.at(-1) ?? 0, bytes: bytes.subarray(0, result) });
      case 'ftruncate':
        return file?.inode.change({ length: numbers.at(-1) ?? 0 });
      case 'fsync':
      case 'fdatasync':
        return file && this.#sync(file);
      case 'rename':
        return this.#rename(paths[0] ?? '', paths[1] ?? '');
      case 'unlink':
        return this.#name(paths[0] ?? '', undefined);
      case 'mkdir':
        return this.#name(paths[0] ?? '', new Inode(undefined));
      case 'symlink':
        return this.#name(paths[1] ?? '', new Inode(Buffer.from(paths[0] ?? '')));
    }
  }

  /** The bytes of a file, as its writer sees them. */
  content(path: string): Buffer | undefined {
    return this.#current.get(path)?.current;
  }

  /** Puts one of the states that may be left into a folder of its own. */
  leave(folder: string, loss: Loss, random: Random): void {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const names = new Map(this.#durable);
    for (const namings of this.#namings.values()) {
      const count =
        { 'all is lost': 0, 'any of it': random(namings.length + 1) }[loss as string] ?? namings.length;
      for (const { path, inode } of namings.slice(0, count))
        if (inode) names.set(path, inode);
        else names.delete(path);
    }
    for (const [path, inode] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const parent = dirname(path);
      if (parent !== this.#root && !names.get(parent)?.folder) {
        names.delete(path); // with its folder
        continue;
      }
      const target = join(folder, path.slice(this.#root.length));
      if (inode.folder) mkdirSync(target, { recursive: true });
      else writeFileSync(target, inode.left(loss, random));
    }
  }

  #opened(path: string, flags: string, fd: number): void {
    this.#open.delete(fd);
    if (!path.startsWith(`${this.#root}/`)) return;
    let inode = this.#current.get(path);
    if (!inode) {
      inode = new Inode(flags.includes('O_DIRECTORY') ? undefined : Buffer.alloc(0));
      this.#name(path, inode);
    }
    if (flags.includes('O_TRUNC') && inode.current.length > 0) inode.change({ length: 0 });
    this.#open.set(fd, { inode, path, at: 0, append: flags.includes('O_APPEND') });
  }

  #write(file: { readonly inode: Inode; at: number; readonly append: boolean }, bytes: Buffer): void {
    const at = file.append ? file.inode.current.length : file.at;
    file.inode.change({ at, bytes });
    file.at = at + bytes.length;
  }

  #sync({ inode, path }: { readonly inode: Inode; readonly path: string }): void {
    if (!inode.folder) return inode.sync();
    for (const { path: named, inode: what } of this.#namings.get(path) ?? [])
      if (what) this.#durable.set(named, what);
      else this.#durable.delete(named);
    this.#namings.delete(path);
  }

  /** The old name and the new one are one change where both are in one folder: they come and go together. */
  #rename(from: string, to: string): void {
    const inode = this.#current.get(from);
    if (!inode) return;
    this.#name(to, inode);
    this.#name(from, undefined);
  }

  #name(path: string, inode: Inode | undefined): void {
    if (!path.startsWith(`${this.#root}/`)) return;
    if (inode) this.#current.set(path, inode);
    else this.#current.delete(path);
    const parent = dirname(path);
    this.#namings.set(parent, [...(this.#namings.get(parent) ?? []), { path, inode }]);
  }
}

function apply(bytes: Buffer, change: Change): Buffer {
  if ('length' in change) {
    const cut = Buffer.alloc(change.length);
    bytes.copy(cut);
    return cut;
  }
  const grown = Buffer.alloc(Math.max(bytes.length, change.at + change.bytes.length));
  bytes.copy(grown);
  change.bytes.copy(grown, change.at);
  return grown;
}

function zeroed(change: Change): Change {
  return 'length' in change ? change : { at: change.at, bytes: Buffer.alloc(change.bytes.length) };
}

/** Some of a write's sectors. */
function sectorsOf(change: Change, random: Random): readonly Change[] {
  if ('length' in change) return [change];
  const parts: Change[] = [];
  for (let done = 0; done < change.bytes.length;) {
    const until = Math.min(change.bytes.length, done + SECTOR - ((change.at + done) % SECTOR));
    if (random(4) > 0) parts.push({ at: change.at + done, bytes: change.bytes.subarray(done, until) });
    done = until;
  }
  return parts;
}
