/**
 * What policies were asked, kept beside the log so that decisions can be evaluated again (`lineage.inputs: keep`). The
 * log holds salted digests of it and does not need it: it is written later than the decision, unsynced, and given up
 * where there is no room. It never delays or fails a call.
 *
 * A file is JSON Lines, one input a line, named by the decision that it begins with:
 *     {"digest":"<replay.input>","salt":"<base64url>","result":<the decision, or null>,"inputs":[<the exact texts>]}
 * Between two texts stand a tab and a comma: compact JSON has no tab, so that each can be cut out as it was.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { appendFile, mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { toBase64url } from '../crypto/base64.ts';

/** What a policy was asked for one decision. */
export interface KeptInput {
  /** `replay.input` of the decision: SHA-256 over salt ‖ inputs, joined by line feeds, hex. */
  readonly digest: string;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** The exact JSON texts: one, or one for each message of a batch. */
  readonly inputs: readonly string[];
  /** The policy's decision as RFC 8785 text, whose SHA-256 is `replay.result`; undefined where it gave none. */
  readonly result: string | undefined;
}

/** Where inputs are kept, and how many. */
export interface InputRules {
  readonly folder: string;
  /** Bytes of all files together: past it the oldest file goes. */
  readonly maxBytes: number;
  /** So much room is left for the log: with less on the disk, nothing is kept. */
  readonly roomBytes: number;
  /** Calls back after so many milliseconds. */
  readonly after: (milliseconds: number, then: () => void) => () => void;
  /** Hears how many inputs could not be kept, and why. */
  readonly onLost: (inputs: number, why: string) => void;
}

/** Between two texts of a line. */
export const BETWEEN = '\t,';
/** Files that the bound is divided into: as much as is dropped at once. */
const FILES = 8;
/** Inputs are gathered for so long before they are written. */
const GATHER_MS = 100;
/** What waits to be written; more is given up. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Writes inputs behind the calls. */
export class InputKeeper {
  readonly #rules: InputRules;
  #lines: string[] = [];
  #first = 0;
  #waiting = 0;
  #lost = 0;
  /** The file that this process wrote to last. */
  #ours = '';
  #writing: Promise<void> | undefined;
  #cancel: (() => void) | undefined;

  constructor(rules: InputRules) {
    this.#rules = rules;
  }

  /** Takes the input of the decision that is entry `seq`. Returns at once, never throws. */
  keep(seq: number, { digest, salt, inputs, result = 'null' }: KeptInput): void {
    const texts = inputs.join(BETWEEN);
    if (this.#waiting + texts.length > MAX_WAITING_BYTES) return void this.#lost++;
    if (this.#lines.length === 0) this.#first = seq;
    this.#lines.push(
      `{"digest":"${digest}","salt":"${toBase64url(salt)}","result":${result},"inputs":[${texts}]}\n`,
    );
    this.#waiting += texts.length;
    this.#cancel ??= this.#rules.after(GATHER_MS, () => void this.#flush());
  }

  /** Writes what waits. Never rejects. */
  async close(): Promise<void> {
    this.#cancel?.();
    while (this.#writing) await this.#writing; // the next one begins before we hear of the end of the last
    await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#writing) return; // what came meanwhile is taken when that is done
    this.#cancel = undefined;
    const { folder } = this.#rules;
    while (this.#lines.length > 0) {
      const lines = this.#lines.splice(0);
      this.#waiting = 0;
      this.#writing = this.#write(join(folder, fileName(this.#first)), lines);
      await this.#writing;
      this.#writing = undefined;
    }
    if (this.#lost > 0) this.#rules.onLost(this.#lost, 'they came faster than they could be written');
    this.#lost = 0;
  }

  async #write(next: string, lines: readonly string[]): Promise<void> {
    const { folder, roomBytes, onLost } = this.#rules;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(folder);
      if (bavail * bsize < roomBytes) return onLost(lines.length, 'the disk has room for the log only');
      const path = this.#fileFor(next);
      const cut = path !== this.#ours && existsSync(path) ? '\n' : ''; // a line that a crash cut short ends here
      await appendFile(path, `${cut}${lines.join('')}`, { mode: 0o600 });
      this.#ours = path;
    } catch (cause) {
      onLost(lines.length, cause instanceof Error ? cause.message : String(cause));
    }
  }

  /** The newest file while it is not full; else a new one, and the oldest ones go. */
  #fileFor(next: string): string {
    const { folder, maxBytes } = this.#rules;
    const files = listInputFiles(folder).map(({ path }) => ({ path, bytes: statSync(path).size }));
    const last = files.at(-1);
    if (last && last.bytes < maxBytes / FILES) return last.path;
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes } of files) {
      if (total <= maxBytes - maxBytes / FILES) break;
      rmSync(path, { force: true });
      total -= bytes;
    }
    return next;
  }
}

/** A file of inputs. */
export interface InputFile {
  readonly path: string;
  /** The decision that it begins with; it goes on to that of the next file. */
  readonly first: number;
}

/** All files of a folder, in order; none where there is no folder. */
export function listInputFiles(folder: string): readonly InputFile[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d{16}\.jsonl$/.test(name))
    .sort()
    .map((name) => ({ path: join(folder, name), first: Number.parseInt(name, 10) }));
}

/** Removes the files that hold inputs of decisions before entry `before` only: those entries are no longer in the log. */
export function pruneInputs(folder: string, before: number): readonly string[] {
  const files = listInputFiles(folder);
  const gone = files.filter((_, i) => (files[i + 1]?.first ?? Infinity) <= before).map(({ path }) => path);
  for (const path of gone) rmSync(path, { force: true });
  return gone;
}

function fileName(seq: number): string {
  return `${String(seq).padStart(16, '0')}.jsonl`;
}
