/** Trust files: the keys that a verifier of denials believes (formats.md §0). Portable. */
import { equalBytes } from '../crypto/bytes.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import { loadJwk, toJwk } from '../crypto/key.ts';
import type { PublicKey, Suite } from '../crypto/suite.ts';
import type { NoteKey } from '../lineage/note.ts';
import { formatPolicy, parsePolicy } from '../lineage/witness/tlog-policy.ts';
import type { TlogPolicy, Witnesses } from '../lineage/witness/tlog-policy.ts';

/** What a verifier believes. */
export interface Trust extends TlogPolicy {
  readonly receiptKeys: readonly PublicKey[];
  /** Where the file came from, in words for the verdict. */
  readonly from: string;
}

/** The trust file of one log and its witnesses: `{"receiptKeys":[JWK],"tlogPolicy":"…"}`, with a final newline. */
export function formatTrust(receiptKey: PublicKey, log: NoteKey, witnesses?: Witnesses): string {
  const trust = { receiptKeys: [toJwk(receiptKey)], tlogPolicy: formatPolicy(log, witnesses) };
  return `${JSON.stringify(trust, null, 2)}\n`;
}

/**
 * The trust in this text, or what is wrong with the file. No public key may stand in two roles. `from` says where the
 * file came from, and every verdict repeats it.
 */
export function parseTrust(
  suite: Suite,
  text: string,
  from = 'a trust file of unknown origin',
): Trust | { readonly fault: string } {
  const file = parseStrictJson(text);
  if (!isJsonObject(file)) return { fault: 'it is not a JSON object' };
  const { receiptKeys, tlogPolicy, ...rest } = file;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) return { fault: `unknown member ${unknown}` };
  if (!Array.isArray(receiptKeys) || receiptKeys.length === 0)
    return { fault: 'receiptKeys is not a list of keys' };
  if (typeof tlogPolicy !== 'string') return { fault: 'tlogPolicy is not a text' };
  const policy = parsePolicy(suite, tlogPolicy);
  if ('fault' in policy) return { fault: `tlogPolicy: ${policy.fault}` };
  const keys = receiptKeys.map(loadJwk).filter((key) => key !== undefined);
  if (keys.length !== receiptKeys.length)
    return { fault: 'receiptKeys holds what is not a public Ed25519 JWK' };
  const everyKey = [...keys, ...policy.logs.map(({ key }) => key), ...policy.witnesses.map(({ key }) => key)];
  if (hasDuplicate(everyKey)) return { fault: 'one public key stands in two roles' };
  return { ...policy, receiptKeys: keys, from };
}

function hasDuplicate(keys: readonly PublicKey[]): boolean {
  return keys.some((key, i) => keys.slice(0, i).some((other) => equalBytes(other.bytes, key.bytes)));
}
