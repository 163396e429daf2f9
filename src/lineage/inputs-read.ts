/** Finds inputs that were kept, and believes none of them before it has the digest that the log holds. */
import { readFileSync } from 'node:fs';
import { fromBase64url } from '../crypto/base64.ts';
import { concatBytes, encodeUtf8 } from '../crypto/bytes.ts';
import { sha256Hex } from '../crypto/node.ts';
import { BETWEEN, listInputFiles } from './inputs.ts';
import type { InputFile } from './inputs.ts';

/** What was asked, with the digest on record. */
export interface FoundInput {
  /** The exact texts: one, or one for each message of a batch. */
  readonly inputs: readonly string[];
  /** Base64url. */
  readonly salt: string;
  /** The decision as it was kept, RFC 8785 text; to be compared with `replay.result`. */
  readonly result: string | undefined;
}

/** Files held in memory at once. */
const OPEN_FILES = 2;

/** The inputs of one home. */
export class KeptInputs {
  readonly #files: readonly InputFile[];
  readonly #opened = new Map<string, ReadonlyMap<string, string>>();

  constructor(folder: string) {
    this.#files = listInputFiles(folder);
  }

  /** The input of the decision that is entry `seq`, by `replay.input`; undefined where it was not kept, or was changed. */
  find(seq: number, digest: string): FoundInput | undefined {
    const after = this.#files.findIndex(({ first }) => first > seq);
    const at = after < 0 ? this.#files.length : after;
    // a decision that a crash took away may have begun the file that the next one went into
    for (const file of [this.#files[at - 1], this.#files[at]]) {
      const line = file && this.#lines(file).get(digest);
      if (line !== undefined) return readLine(line, digest);
    }
    return undefined;
  }

  #lines({ path }: InputFile): ReadonlyMap<string, string> {
    const known = this.#opened.get(path);
    if (known) return known;
    const text = readFileSync(path, 'utf8');
    const lines = new Map(text.split('\n').map((line) => [line.slice(DIGEST.start, DIGEST.end), line]));
    this.#opened.set(path, lines);
    for (const oldest of this.#opened.keys()) if (this.#opened.size > OPEN_FILES) this.#opened.delete(oldest);
    return lines;
  }
}

const START = '{"digest":"';
const DIGEST = { start: START.length, end: START.length + 64 };
const SHAPE = /^\{"digest":"[0-9a-f]{64}","salt":"([A-Za-z0-9_-]{22})","result":(null|\{.*?\}),"inputs":\[/;

function readLine(line: string, digest: string): FoundInput | undefined {
  const [head, salt = '', result] = SHAPE.exec(line) ?? [];
  if (head === undefined || !line.endsWith(']}')) return undefined;
  const inputs = line.slice(head.length, -2).split(BETWEEN);
  if (!isOnRecord(inputs, salt, digest)) return undefined;
  return { inputs, salt, result: result === 'null' ? undefined : result };
}

/** Whether these are the texts whose digest (`replay.input`) is on record; `salt` is base64url. */
export function isOnRecord(inputs: readonly string[], salt: string, digest: string): boolean {
  const bytes = fromBase64url(salt);
  return bytes !== undefined && sha256Hex(concatBytes(bytes, encodeUtf8(inputs.join('\n')))) === digest;
}
