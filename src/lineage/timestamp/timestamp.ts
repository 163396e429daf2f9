/**
 * Timestamps of checkpoints (RFC 3161): the signed word of an authority, whom the log's holder does not hold, that it saw
 * these bytes. With it whoever holds the log's key cannot say later that the log was written earlier than it was.
 * SHA-512, which every authority takes: the imprint has to hold for as long as the log is kept. Portable.
 */
import { fromBER, Integer, Null, OctetString } from 'asn1js';
import { AlgorithmIdentifier, MessageImprint, TimeStampReq, TimeStampResp, TSTInfo } from 'pkijs';
import { encodeUtf8, equalBytes } from '../../crypto/bytes.ts';
import { parseHead } from '../checkpoint.ts';
import { formatNote, parseNote } from '../note.ts';
import type { Certificate } from './certificate.ts';
import { chainFault } from './chain.ts';
import { noTimestamp } from './fault.ts';
import type { Timestamp, TimestampFault, TimestampOutcome } from './fault.ts';
import { digestOf, hasWebCrypto } from './key.ts';
import { openToken } from './signature.ts';

/** What a timestamp must be about. */
export interface TimestampClaim {
  readonly data: Uint8Array;
  /** Whom to believe. */
  readonly roots: readonly Certificate[];
  /** Of the question, where the answer just came. */
  readonly nonce?: Uint8Array | undefined;
  /** Object identifier of the policy that it must be given under; undefined: any will do. */
  readonly policy?: string | undefined;
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

/**
 * The question (DER). `nonce`: 8 fresh bytes, the first between 0x40 and 0x7f, so that it has one spelling. `policy`: an object
 * identifier, where one is asked for.
 */
export async function timestampRequest(
  data: Uint8Array,
  nonce: Uint8Array,
  policy?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const hashAlgorithm = new AlgorithmIdentifier({ algorithmId: SHA512, algorithmParams: new Null() });
  const hashedMessage = new OctetString({ valueHex: await digestOf('SHA-512', data) });
  const request = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({ hashAlgorithm, hashedMessage }),
    nonce: new Integer({ valueHex: Uint8Array.from(nonce) }),
    certReq: true,
    ...(policy !== undefined && { reqPolicy: policy }),
  });
  return new Uint8Array(request.toSchema().toBER());
}

/**
 * Verifies an authority's answer (DER, attacker-controlled), without a network: status, signature, imprint, nonce, the
 * signer's certificate at the time that it names. Whether that was revoked is not looked up. Never throws.
 */
export async function verifyTimestamp(
  response: Uint8Array,
  claim: TimestampClaim,
): Promise<TimestampOutcome> {
  if (!hasWebCrypto()) return noTimestamp('timestamp_unsupported');
  try {
    return await judge(response, claim);
  } catch {
    return noTimestamp('timestamp_malformed'); // the libraries throw at whatever they cannot read
  }
}

/** Throws at what cannot be read. */
async function judge(
  response: Uint8Array,
  { data, roots, nonce, policy }: TimestampClaim,
): Promise<TimestampOutcome> {
  const answer = new TimeStampResp({ schema: wholeDer(response) });
  const { status, timeStampToken } = answer;
  if (!GRANTED.includes(status.status)) return noTimestamp('timestamp_refused', reasonOf(answer));
  if (!timeStampToken) return noTimestamp('timestamp_malformed');
  const token = await openToken(timeStampToken);
  if (typeof token === 'string') return noTimestamp(token);
  const info = new TSTInfo({ schema: wholeDer(token.content) });
  if (info.version !== 1 || info.extensions?.some(({ critical }) => critical))
    return noTimestamp('timestamp_malformed');
  if (!(await isImprint(info.messageImprint, data))) return noTimestamp('timestamp_wrong_imprint');
  if (nonce && !equalBytes(nonce, info.nonce?.valueBlock.valueHexView ?? new Uint8Array(0)))
    return noTimestamp('timestamp_wrong_nonce');
  const time = info.genTime.getTime();
  const by = token.signer.name;
  const fault = await chainFault({ ...token, roots, time });
  if (fault) return noTimestamp(fault, by);
  if (policy !== undefined && info.policy !== policy)
    return noTimestamp('timestamp_wrong_policy', info.policy);
  return { ok: true, value: { before: time + accuracyOf(info), by, policy: info.policy } };
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

/** One DER value and nothing after it. Throws. */
function wholeDer(bytes: Uint8Array): ReturnType<typeof fromBER>['result'] {
  const { offset, result } = fromBER(Uint8Array.from(bytes).buffer);
  if (offset !== bytes.length) throw new Error('not one value');
  return result;
}

async function isImprint(
  { hashAlgorithm, hashedMessage }: MessageImprint,
  data: Uint8Array,
): Promise<boolean> {
  const found = hashedMessage.valueBlock.valueHexView;
  return hashAlgorithm.algorithmId === SHA512 && equalBytes(found, await digestOf('SHA-512', data));
}

function accuracyOf({ accuracy }: TSTInfo): number {
  const { seconds = 0, millis = 0, micros = 0 } = accuracy ?? {};
  return Math.ceil(seconds * MS + millis + micros / MICROS_PER_MS);
}

function reasonOf({ status }: TimeStampResp): string {
  const strings = status.statusStrings?.map((text) => text.getValue()) ?? [];
  return [`status ${status.status}`, ...strings].join(', ');
}
