/** A witness on disk: its key, its memory, the logs that it knows. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isThere } from '../../config/file-fault.ts';
import { isJsonObject, parseStrictJson } from '../../crypto/json.ts';
import { loadSigner, newKey, node, sha256Hex } from '../../crypto/node.ts';
import type { PrivateJwk } from '../../crypto/node.ts';
import type { Cosigner } from './cosignature.ts';
import { makeDirectory, replaceFile } from '../durable.ts';
import { isNoteName, noteKey } from '../note.ts';
import type { NoteKey } from '../note.ts';
import { parsePolicy } from './tlog-policy.ts';
import { createWitnessMemory } from './memory.ts';

/** Where everything of a witness lies. */
export interface WitnessLayout {
  /** `{"name","jwk"}`, 0600. */
  readonly key: string;
  readonly memory: string;
  /** A c2sp.org/tlog-policy file; of it only the `log` lines count. */
  readonly logs: string;
  /** Proofs of forking that it came upon. */
  readonly forks: string;
}

const LOGS = '# The logs that this witness cosigns for: a line `log <vkey>` each.\nquorum none\n';
const MAX_FORKS = 100;

/** The layout of a witness in a folder. */
export function witnessLayout(folder: string): WitnessLayout {
  return {
    key: join(folder, 'key.json'),
    memory: join(folder, 'memory.db'),
    logs: join(folder, 'logs'),
    forks: join(folder, 'forks'),
  };
}

/**
 * Makes a witness: a fresh key under this name, an empty memory, an empty list of logs. False, and nothing is changed,
 * where a whole one is there. Throws where only a part is: a key without its memory must never cosign again.
 */
export function createWitness(folder: string, name: string): boolean {
  const { key, memory, logs } = witnessLayout(folder);
  if (!isNoteName(name)) throw new Error(`a witness cannot be named ${JSON.stringify(name)}`);
  if (isThere(key) && isThere(memory)) return false;
  if (isThere(key))
    throw new Error(`${key} has lost its memory, ${memory}. Restore that, or begin anew with another key.`);
  makeDirectory(folder);
  createWitnessMemory(memory);
  if (!isThere(logs)) replaceFile(logs, LOGS);
  replaceFile(key, `${JSON.stringify({ name, jwk: newKey() })}\n`); // last: with it the witness is whole
  return true;
}

/** The witness's name and key. Throws where the file is not one. */
export function readCosigner(path: string): Cosigner {
  const file = parseStrictJson(readFileSync(path, 'utf8'));
  if (!isJsonObject(file) || typeof file['name'] !== 'string' || !isJsonObject(file['jwk']))
    throw new Error(`${path} is not a witness’s key`);
  const signer = loadSigner(file['jwk'] as unknown as PrivateJwk); // loadSigner checks every member
  return { key: noteKey(node, { name: file['name'], type: 'witness', key: signer.key }), sign: signer.sign };
}

/** The keys of the logs that it knows, or what is wrong with the list. */
export function readLogs(path: string): readonly NoteKey[] | { readonly fault: string } {
  try {
    const policy = parsePolicy(node, readFileSync(path, 'utf8'));
    return 'fault' in policy ? { fault: `${path}: ${policy.fault}` } : policy.logs;
  } catch (cause) {
    return { fault: String(cause) };
  }
}

/** Keeps a proof of forking, once, and a hundred of them at most; answers its path. */
export function keepFork(forks: string, proof: string): string | undefined {
  makeDirectory(forks);
  const path = join(forks, `${sha256Hex(proof).slice(0, 32)}.json`);
  if (!existsSync(path) && readdirSync(forks).length >= MAX_FORKS) return undefined;
  replaceFile(path, proof);
  return path;
}
