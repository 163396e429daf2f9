/**
 * Timestamps of checkpoints (RFC 3161): the signed word of an authority, whom the log's holder does not hold, that it saw
 * these bytes. With it whoever holds the log's key cannot say later that the log was written earlier than it was.
 * SHA-512, which every authority takes: the imprint has to hold for as long as the log is kept.
 */
import { hash } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';
import { fromBER, Integer, Null, OctetString } from 'asn1js';
import { AlgorithmIdentifier, MessageImprint, TimeStampReq, TimeStampResp, TSTInfo } from 'pkijs';
import { encodeUtf8, equalBytes } from '../crypto/bytes.ts';
import { parseHead } from './checkpoint.ts';
import { formatNote, parseNote } from './note.ts';
import { chainFault } from './timestamp-chain.ts';
import { openToken } from './timestamp-signature.ts';

/** Everything that can be wrong with an authority's answer. */
export const timestampFaults = {
  timestamp_unreachable: 'the authority does not answer in time, or with more than a timestamp',
  timestamp_no_roots: 'the file of trusted roots cannot be read, or holds no certificate (PEM)',
  timestamp_http_error: 'the authority answers with an error of HTTP',
  timestamp_malformed: 'it is not a time-stamp response (RFC 3161), whole and alone',
  timestamp_refused: 'the authority did not grant a timestamp',
  timestamp_wrong_signer: 'it does not say which one of its certificates signed it',
  timestamp_bad_signature: 'its signature is wrong',
  timestamp_weak: 'it is signed with an algorithm or key that is not accepted',
  timestamp_wrong_imprint: 'it is over other bytes, or by another hash than SHA-512',
  timestamp_too_early: 'it is over a checkpoint from before this entry',
  timestamp_wrong_nonce: 'it is not the answer to what was asked',
  timestamp_wrong_purpose: 'its signer’s certificate is not one for timestamps, and for nothing else',
  timestamp_expired: 'its signer’s certificate did not hold at that time',
  timestamp_untrusted: 'its signer’s certificate does not lead to a trusted root',
  timestamp_wrong_time: 'its time is not that of this machine’s clock: one of the two is wrong',
} as const;

/** A code of the table. */
export type TimestampFault = keyof typeof timestampFaults;

/** Why there is no timestamp. */
export interface NoTimestamp {
  readonly ok: false;
  readonly code: TimestampFault;
  /** The table's sentence, and what the authority said (attacker-controlled). */
  readonly detail: string;
}

/** A verified timestamp. */
export interface Timestamp {
  /** The bytes existed before: Unix time in milliseconds, the authority's own accuracy added. */
  readonly before: number;
  /** The subject of its certificate. */
  readonly by: string;
  /** Object identifier of the policy under which it was given. */
  readonly policy: string;
}

/** A verified timestamp, or why there is none. */
export type TimestampOutcome = { readonly ok: true; readonly value: Timestamp } | NoTimestamp;

/** What a timestamp must be about. */
export interface TimestampClaim {
  readonly data: Uint8Array;
  /** Whom to believe. */
  readonly roots: readonly X509Certificate[];
  /** Of the question, where the answer just came. */
  readonly nonce?: Uint8Array | undefined;
}

/** How it stands with the authority. */
export interface TimestampReport extends Partial<Timestamp> {
  /** What came of asking last. */
  readonly said: 'unasked' | 'granted' | 'not_kept' | TimestampFault;
  readonly why?: string;
  /** Entries under the newest timestamped checkpoint; 0: there is none. */
  readonly size: number;
  /** Unix time in milliseconds: when all of the log was last timestamped, or the beginning. */
  readonly since: number;
}

const SHA512 = '2.16.840.1.101.3.4.2.3';
/** RFC 3161 §2.4.2: granted, and granted with modifications; what was modified is checked like everything else. */
const GRANTED = [0, 1];
const MICROS_PER_MS = 1000;
const MS = 1000;

/** A refusal by the table. `said`: the authority's own words. */
export function noTimestamp(code: TimestampFault, said = ''): NoTimestamp {
  return {
    ok: false,
    code,
    detail: said === '' ? timestampFaults[code] : `${timestampFaults[code]}: ${said}`,
  };
}

/** The question (DER). `nonce`: 8 fresh bytes, the first between 0x40 and 0x7f, so that it has one spelling. */
export function timestampRequest(data: Uint8Array, nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const hashAlgorithm = new AlgorithmIdentifier({ algorithmId: SHA512, algorithmParams: new Null() });
  const hashedMessage = new OctetString({ valueHex: imprintOf(data) });
  const request = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({ hashAlgorithm, hashedMessage }),
    nonce: new Integer({ valueHex: Uint8Array.from(nonce) }),
    certReq: true,
  });
  return new Uint8Array(request.toSchema().toBER());
}

/**
 * Verifies an authority's answer (DER, attacker-controlled), without a network: status, signature, imprint, nonce, the
 * signer's certificate at the time that it names. Whether that was revoked is not looked up. Never throws.
 */
export function verifyTimestamp(response: Uint8Array, claim: TimestampClaim): TimestampOutcome {
  const answer = parsed(() => new TimeStampResp({ schema: wholeDer(response) }));
  if (!answer) return noTimestamp('timestamp_malformed');
  if (!GRANTED.includes(answer.status.status)) return noTimestamp('timestamp_refused', reasonOf(answer));
  const { timeStampToken } = answer;
  const token = timeStampToken && parsed(() => openToken(timeStampToken));
  if (!token) return noTimestamp('timestamp_malformed');
  if (typeof token === 'string') return noTimestamp(token);
  const info = parsed(() => new TSTInfo({ schema: wholeDer(token.content) }));
  if (info?.version !== 1 || info.extensions?.some(({ critical }) => critical))
    return noTimestamp('timestamp_malformed');
  if (!isImprint(info.messageImprint, claim.data)) return noTimestamp('timestamp_wrong_imprint');
  if (claim.nonce && !equalBytes(claim.nonce, info.nonce?.valueBlock.valueHexView ?? new Uint8Array(0)))
    return noTimestamp('timestamp_wrong_nonce');
  const time = info.genTime.getTime();
  const fault = parsed(() => chainFault({ ...token, roots: claim.roots, time }) ?? 'none');
  if (fault !== 'none') return noTimestamp(fault ?? 'timestamp_malformed', nameOf(token.signer));
  return {
    ok: true,
    value: { before: time + accuracyOf(info), by: nameOf(token.signer), policy: info.policy },
  };
}

/**
 * The bytes of a checkpoint that are timestamped: as the log alone signed it. Witnesses cosign later, and each reader may
 * have another choice of them. Undefined where it is no checkpoint (attacker-controlled).
 */
export function timestampedBytes(checkpoint: string): Uint8Array | undefined {
  const note = parseNote(checkpoint);
  const origin = note && parseHead(note.text)?.origin;
  const signature = note?.signatures.find(({ name }) => name === origin);
  return note && signature && encodeUtf8(formatNote(note.text, signature));
}

/** What a timestamp proves, in words (attacker-controlled: the name). */
export function sayTimestamp({ before, by }: Timestamp): string {
  return `before ${new Date(before).toISOString()} according to ${by}`;
}

/** A certificate's subject in one line (attacker-controlled). */
function nameOf({ subject }: X509Certificate): string {
  return subject.replaceAll('\n', ', ');
}

/** One DER value and nothing after it. Throws. */
function wholeDer(bytes: Uint8Array): ReturnType<typeof fromBER>['result'] {
  const { offset, result } = fromBER(Uint8Array.from(bytes).buffer);
  if (offset !== bytes.length) throw new Error('not one value');
  return result;
}

/** The libraries throw at whatever they cannot read. */
function parsed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function imprintOf(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hash('sha512', data, 'buffer'));
}

function isImprint({ hashAlgorithm, hashedMessage }: MessageImprint, data: Uint8Array): boolean {
  return (
    hashAlgorithm.algorithmId === SHA512 && equalBytes(hashedMessage.valueBlock.valueHexView, imprintOf(data))
  );
}

function accuracyOf({ accuracy }: TSTInfo): number {
  const { seconds = 0, millis = 0, micros = 0 } = accuracy ?? {};
  return Math.ceil(seconds * MS + millis + micros / MICROS_PER_MS);
}

function reasonOf({ status }: TimeStampResp): string {
  const strings = status.statusStrings?.map((text) => text.getValue()) ?? [];
  return [`status ${status.status}`, ...strings].join(', ');
}
