/** DSSE v1 envelopes (github.com/secure-systems-lab/dsse) around our statements. Portable. */
import { fromBase64 } from '../crypto/base64.ts';
import { concatBytes, encodeUtf8 } from '../crypto/bytes.ts';
import { isJsonObject } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';

/** The one payload type of receipts. */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** The pre-authentication encoding: what is signed. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encodeUtf8(payloadType);
  return concatBytes(encodeUtf8(`DSSEv1 ${type.length} `), type, encodeUtf8(` ${payload.length} `), payload);
}

/** An envelope whose encodings are strict, its one signature split off. */
export interface OpenedEnvelope {
  readonly payload: Uint8Array;
  readonly keyid: string;
  readonly signature: Uint8Array;
}

/** The envelope in this JSON value (attacker-controlled): exactly our members, type and encodings; else undefined. */
export function openEnvelope(value: Json | undefined): OpenedEnvelope | undefined {
  const { payload, payloadType, signatures } = membersOf(value, ['payload', 'payloadType', 'signatures']);
  if (payloadType !== PAYLOAD_TYPE || !Array.isArray(signatures) || signatures.length !== 1) return undefined;
  const { keyid, sig } = membersOf(signatures[0] as Json, ['keyid', 'sig']); // an element of a Json array
  const bytes = typeof payload === 'string' ? fromBase64(payload) : undefined;
  const signature = typeof sig === 'string' ? fromBase64(sig) : undefined;
  if (!bytes || signature?.length !== 64 || typeof keyid !== 'string') return undefined;
  return { payload: bytes, keyid, signature };
}

/** The members of an object that has exactly these; nothing of any other value. */
function membersOf(value: Json | undefined, names: readonly string[]): JsonObject {
  if (!isJsonObject(value)) return {};
  const present = Object.keys(value);
  return present.length === names.length && names.every((name) => present.includes(name)) ? value : {};
}
