/**
 * Signatures on time-stamp tokens and on certificates, by WebCrypto, which Node and browsers have alike, and Ed25519 by noble.
 * One table says what is accepted; both take it from here. Portable.
 */
import { BitString, fromBER, Integer, ObjectIdentifier, Sequence } from 'asn1js';
import { RSASSAPSSParams } from 'pkijs';
import type { AlgorithmIdentifier } from 'pkijs';
import { concatBytes } from '../../crypto/bytes.ts';
import { loadPublicKey } from '../../crypto/key.ts';
import { noble } from '../../crypto/noble.ts';

/** Digests that hold. */
export type Digest = 'SHA-256' | 'SHA-384' | 'SHA-512';

/** How something is signed. */
export interface Scheme {
  readonly kind: 'rsa' | 'rsa-pss' | 'ec' | 'ed25519';
  /** Undefined where the token says which; Ed25519 has its own, and asks for the same in tokens (RFC 8419 §3.1). */
  readonly digest?: Digest;
  /** Of RSA-PSS, in bytes. */
  readonly saltLength?: number;
}

/** A signature, and what it is said to be over. All of it is attacker-controlled. */
export interface Signed {
  readonly scheme: Scheme;
  readonly digest: Digest;
  /** SubjectPublicKeyInfo, DER. */
  readonly key: Uint8Array;
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
}

const RSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';

/** RFC 8017, RFC 5758, RFC 8410. MD5, SHA-1 and DSA are not in it. */
const SCHEMES: Readonly<Record<string, Scheme>> = {
  '1.2.840.113549.1.1.1': { kind: 'rsa' },
  '1.2.840.113549.1.1.11': { kind: 'rsa', digest: 'SHA-256' },
  '1.2.840.113549.1.1.12': { kind: 'rsa', digest: 'SHA-384' },
  '1.2.840.113549.1.1.13': { kind: 'rsa', digest: 'SHA-512' },
  '1.2.840.10045.4.3.2': { kind: 'ec', digest: 'SHA-256' },
  '1.2.840.10045.4.3.3': { kind: 'ec', digest: 'SHA-384' },
  '1.2.840.10045.4.3.4': { kind: 'ec', digest: 'SHA-512' },
  '1.3.101.112': { kind: 'ed25519', digest: 'SHA-512' },
};

const DIGESTS: Readonly<Record<string, Digest>> = {
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
};
const DIGEST_BYTES: Readonly<Record<Digest, number>> = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 };

const KEYS: Readonly<Record<string, 'rsa' | 'ec' | 'ed25519'>> = {
  '1.2.840.113549.1.1.1': 'rsa',
  '1.2.840.10045.2.1': 'ec',
  '1.3.101.112': 'ed25519',
};
const CURVES: Readonly<Record<string, { readonly namedCurve: string; readonly bytes: number }>> = {
  '1.2.840.10045.3.1.7': { namedCurve: 'P-256', bytes: 32 },
  '1.3.132.0.34': { namedCurve: 'P-384', bytes: 48 },
  '1.3.132.0.35': { namedCurve: 'P-521', bytes: 66 },
};
const MIN_RSA_BITS = 2048;

/** Whether this machine can tell at all: pages that came without TLS have no WebCrypto. */
export function hasWebCrypto(): boolean {
  return (globalThis.crypto as { readonly subtle?: object }).subtle !== undefined; // the types promise it everywhere
}

/** A digest by its name. */
export async function digestOf(digest: Digest | 'SHA-1', data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest(digest, Uint8Array.from(data)));
}

/** The accepted digest with this object identifier. */
export function digestNamed(oid: string): Digest | undefined {
  return DIGESTS[oid];
}

/** The accepted scheme of an AlgorithmIdentifier. Throws where its parameters cannot be read. */
export function schemeOf({ algorithmId, algorithmParams }: AlgorithmIdentifier): Scheme | undefined {
  if (algorithmId !== RSA_PSS) return SCHEMES[algorithmId];
  const { hashAlgorithm, maskGenAlgorithm, saltLength, trailerField } = new RSASSAPSSParams({
    schema: algorithmParams,
  });
  const digest = DIGESTS[hashAlgorithm.algorithmId];
  const inner: unknown = maskGenAlgorithm.algorithmParams;
  const isSame = maskGenAlgorithm.algorithmId === MGF1 && oidIn(inner) === hashAlgorithm.algorithmId;
  if (!digest || !isSame || trailerField !== 1 || saltLength < DIGEST_BYTES[digest]) return undefined;
  return { kind: 'rsa-pss', digest, saltLength };
}

/** `weak`: the key is not of that scheme, too short, or on a curve that is not accepted. */
export async function judgeSignature(signed: Signed): Promise<'good' | 'bad' | 'weak'> {
  const { kind } = signed.scheme;
  const info = readKey(signed.key);
  if (info?.kind !== (kind === 'rsa-pss' ? 'rsa' : kind)) return 'weak';
  if (kind === 'ed25519') return judgeEd25519(signed, info.bits);
  if (kind === 'ec') return judgeEcdsa(signed, CURVES[info.curve ?? '']);
  return judgeRsa(signed);
}

async function judgeRsa({ scheme, digest, key, data, signature }: Signed): Promise<'good' | 'bad' | 'weak'> {
  const { saltLength } = scheme;
  const name = saltLength === undefined ? 'RSASSA-PKCS1-v1_5' : 'RSA-PSS';
  const imported = await importKey(key, { name, hash: digest });
  if (!imported) return 'bad';
  const { modulusLength } = imported.algorithm as { modulusLength?: number }; // an RSA key's algorithm has it
  if (modulusLength === undefined || modulusLength < MIN_RSA_BITS) return 'weak';
  const how = saltLength === undefined ? { name } : { name, saltLength };
  return said(await crypto.subtle.verify(how, imported, Uint8Array.from(signature), Uint8Array.from(data)));
}

async function judgeEcdsa(
  { digest, key, data, signature }: Signed,
  curve: { readonly namedCurve: string; readonly bytes: number } | undefined,
): Promise<'good' | 'bad' | 'weak'> {
  if (!curve) return 'weak';
  const { namedCurve, bytes } = curve;
  const imported = await importKey(key, { name: 'ECDSA', namedCurve });
  const raw = rawEcdsa(signature, bytes);
  if (!imported || !raw) return 'bad';
  const how = { name: 'ECDSA', hash: digest };
  return said(await crypto.subtle.verify(how, imported, raw, Uint8Array.from(data)));
}

function judgeEd25519({ data, signature }: Signed, bits: Uint8Array): 'good' | 'bad' | 'weak' {
  const key = loadPublicKey(bits);
  return key ? said(noble.verify(key, data, signature)) : 'weak';
}

function said(isGood: boolean): 'good' | 'bad' {
  return isGood ? 'good' : 'bad';
}

async function importKey(
  key: Uint8Array,
  algorithm: { readonly name: string; readonly hash?: string; readonly namedCurve?: string },
): Promise<Awaited<ReturnType<typeof crypto.subtle.importKey>> | undefined> {
  try {
    return await crypto.subtle.importKey('spki', Uint8Array.from(key), algorithm, false, ['verify']);
  } catch {
    return undefined; // no such key: nothing can be signed by it
  }
}

interface KeyInfo {
  readonly kind: 'rsa' | 'ec' | 'ed25519';
  /** Object identifier. */
  readonly curve: string | undefined;
  readonly bits: Uint8Array;
}

/** RFC 5280 §4.1.2.7. */
function readKey(spki: Uint8Array): KeyInfo | undefined {
  const { result } = fromBER(Uint8Array.from(spki));
  const [algorithm, bits] = result instanceof Sequence ? result.valueBlock.value : [];
  const kind = KEYS[oidIn(algorithm) ?? ''];
  if (!kind || !(algorithm instanceof Sequence) || !(bits instanceof BitString)) return undefined;
  const [, parameter] = algorithm.valueBlock.value;
  const curve = parameter instanceof ObjectIdentifier ? parameter.getValue() : undefined;
  return { kind, curve, bits: bits.valueBlock.valueHexView };
}

/** Of an AlgorithmIdentifier. */
function oidIn(identifier: unknown): string | undefined {
  const [oid] = identifier instanceof Sequence ? identifier.valueBlock.value : [];
  return oid instanceof ObjectIdentifier ? oid.getValue() : undefined;
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) as WebCrypto wants it: both numbers, each as long as the curve's order. */
function rawEcdsa(signature: Uint8Array, length: number): Uint8Array<ArrayBuffer> | undefined {
  const { offset, result } = fromBER(Uint8Array.from(signature));
  if (offset !== signature.length || !(result instanceof Sequence)) return undefined;
  const [r, s, ...more] = result.valueBlock.value.map((number) => unsigned(number, length));
  return r && s && more.length === 0 ? Uint8Array.from(concatBytes(r, s)) : undefined;
}

function unsigned(number: unknown, length: number): Uint8Array | undefined {
  if (!(number instanceof Integer)) return undefined;
  const bytes = number.valueBlock.valueHexView;
  const isPositive = ((bytes[0] ?? 0x80) & 0x80) === 0;
  const digits = bytes.subarray(bytes[0] === 0 ? 1 : 0);
  if (!isPositive || digits.length > length) return undefined;
  return concatBytes(new Uint8Array(length - digits.length), digits);
}
