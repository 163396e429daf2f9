/** Who a log is: its origin and public keys, as its own entry 0 says. Read without any private key. */
import { readFileSync } from 'node:fs';
import { isThere } from '../config/file-fault.ts';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import { loadJwk } from '../crypto/key.ts';
import { loadSigner, node, secretMark } from '../crypto/node.ts';
import type { PrivateJwk, SecretMark, Signer } from '../crypto/node.ts';
import type { PublicKey } from '../crypto/suite.ts';
import { isOriginOf } from './checkpoint.ts';
import { damaged, LogFault, systemFault } from './fault.ts';
import type { LogLayout } from './layout.ts';
import { noteKey } from './note.ts';
import type { NoteKey } from './note.ts';
import { readEntry } from './read.ts';
import { isMissing } from './system-remedy.ts';

/** A log's identity. */
export interface LogIdentity {
  readonly origin: string;
  readonly logKey: NoteKey;
  readonly receiptKey: PublicKey;
}

/** The private keys of a log. */
export interface LogKeys {
  readonly log: Signer;
  readonly receipt: Signer;
}

/** The identity that entry 0 states. Throws `LogFault`. It is self-stated: compare it with what you know of the log. */
export function readIdentity(layout: LogLayout): LogIdentity {
  checkComplete(layout);
  const genesis = parseStrictJson(decodeUtf8(readEntry(layout.segments, 0) ?? new Uint8Array(0)) ?? '');
  const predicate = memberOf(genesis, 'predicate');
  const origin = memberOf(memberOf(predicate, 'entry'), 'origin');
  const logKey = loadJwk(memberOf(predicate, 'log_key'));
  const receiptKey = loadJwk(memberOf(predicate, 'receipt_key'));
  if (typeof origin !== 'string' || !logKey || !receiptKey || !isOriginOf(node, origin, logKey))
    throw damaged({ index: 0, what: 'it does not name the log and its keys' });
  return { origin, logKey: noteKey(node, { name: origin, type: 'log', key: logKey }), receiptKey };
}

/** The private keys of this log, checked against its entry 0. Throws `LogFault`. */
export function readLogKeys(layout: LogLayout, identity: LogIdentity): LogKeys {
  return {
    log: readSigner(layout.logKey, identity.logKey.key),
    receipt: readSigner(layout.receiptKey, identity.receiptKey),
  };
}

/** A mark that only the holder of the log’s private key can make, for one purpose. Throws `LogFault`. */
export function readLogMark(layout: LogLayout, identity: LogIdentity, purpose: string): SecretMark {
  const jwk = readJwk(layout.logKey);
  checkIs(layout.logKey, parseSigner(layout.logKey, jwk), identity.logKey.key);
  return secretMark(jwk, `${purpose} ${identity.origin}`);
}

/** Throws unless log and keys are there, and `writ init` came to its end. */
export function checkComplete(layout: LogLayout): void {
  if (isThere(layout.unfinished))
    throw new LogFault('log_half_made', 'This home was left half made. Run `writ init` again to finish it.');
  if (isThere(layout.checkpoint) && isThere(layout.segments)) return;
  throw new LogFault(
    'log_missing',
    isThere(layout.logKey)
      ? `There is a log key, but no log in ${layout.directory}. Restore the log: a key never begins a second one.`
      : `There is no log in ${layout.directory}. Run \`writ init\`, or name another home with --home.`,
  );
}

function readSigner(path: string, expected: PublicKey): Signer {
  return checkIs(path, parseSigner(path, readJwk(path)), expected);
}

function checkIs(path: string, signer: Signer, expected: PublicKey): Signer {
  if (signer.key.id === expected.id) return signer;
  throw new LogFault(
    'log_key_invalid',
    `${path} is not the key that the log began with. Restore the right one.`,
  );
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (!isMissing(cause)) throw systemFault(cause, `The key ${path} cannot be read`);
    throw new LogFault('log_key_missing', `The key ${path} is not there. Restore it.`);
  }
}

function readJwk(path: string): PrivateJwk {
  const text = readKeyFile(path);
  try {
    return JSON.parse(text) as PrivateJwk; // loadSigner checks every member
  } catch {
    throw notAKey(path);
  }
}

function parseSigner(path: string, jwk: PrivateJwk): Signer {
  try {
    return loadSigner(jwk);
  } catch {
    throw notAKey(path);
  }
}

function notAKey(path: string): LogFault {
  return new LogFault('log_key_invalid', `${path} is not an Ed25519 private key as JWK. Restore it.`);
}

function memberOf(value: Json | undefined, name: string): Json | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
}
