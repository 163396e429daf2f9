/** Asks an authority for the timestamp of a checkpoint (RFC 3161 §3.4), and keeps the good ones beside the log. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeUtf8 } from '../../crypto/bytes.ts';
import type { Certificate } from './certificate.ts';
import { noTimestamp } from './fault.ts';
import type { NoTimestamp, Timestamp } from './fault.ts';
import { timestampRequest, verifyTimestamp } from './timestamp.ts';

/** POSTs a question (DER); undefined where nobody answers in time and in little. What comes back is untrusted. */
export type PostQuestion = (
  question: Uint8Array<ArrayBuffer>,
) => Promise<{ readonly status: number; readonly bytes: Uint8Array } | undefined>;

/** How an authority is asked. */
export interface TimestampQuestion {
  readonly post: PostQuestion;
  readonly roots: readonly Certificate[];
  /** Object identifier of the policy to ask for; null: any. */
  readonly policy?: string | null;
  /** Unix time in milliseconds. */
  readonly clock: () => number;
  /** 8 random bytes. */
  readonly random: () => Uint8Array<ArrayBuffer>;
}

/** A verified timestamp, and the response (DER) that proves it to others. */
export interface FreshTimestamp {
  readonly ok: true;
  readonly value: Timestamp;
  readonly response: Uint8Array;
}

/** Further than this from our clock, either is wrong; the authority's own inaccuracy and its answer's way are within. */
const MAX_SKEW_MS = 300_000;
const HTTP_OK = 200;

/** Asks for a timestamp over exactly these bytes, and checks all of the answer. */
export async function askTimestamp(
  data: Uint8Array,
  { post, roots, clock, random, ...asked }: TimestampQuestion,
): Promise<FreshTimestamp | NoTimestamp> {
  const policy = asked.policy ?? undefined;
  const nonce = random();
  nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40; // positive and of constant length: one spelling in DER
  const reply = await post(await timestampRequest(data, nonce, policy));
  if (!reply) return noTimestamp('timestamp_unreachable');
  if (reply.status !== HTTP_OK) return noTimestamp('timestamp_http_error', String(reply.status));
  const stamped = await verifyTimestamp(reply.bytes, { data, roots, nonce, policy });
  if (!stamped.ok) return stamped;
  const { before } = stamped.value;
  if (Math.abs(before - clock()) > MAX_SKEW_MS)
    return noTimestamp('timestamp_wrong_time', new Date(before).toISOString());
  return { ...stamped, response: reply.bytes };
}

/** A checkpoint that was timestamped. */
export interface TimestampedCheckpoint {
  readonly size: number;
  /** The signed note, byte for byte what the timestamp is over. */
  readonly note: string;
}

/** Keeps a timestamp and what it is over, each durable and in its place in one step; the timestamp last. */
export async function keepTimestamp(
  folder: string,
  { size, note }: TimestampedCheckpoint,
  response: Uint8Array,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await syncNames(dirname(folder));
  await place(folder, `${size}.checkpoint`, encodeUtf8(note));
  await place(folder, `${size}.tsr`, response);
}

/** The newest one that is kept, and when that was; undefined where there is none. */
export function newestTimestamp(
  folder: string,
): (TimestampedCheckpoint & { readonly keptAt: number }) | undefined {
  try {
    const sizes = readdirSync(folder).flatMap((name) => /^(\d+)\.tsr$/.exec(name)?.[1] ?? []);
    const size = Math.max(...sizes.map(Number));
    const note = readFileSync(join(folder, `${size}.checkpoint`), 'utf8');
    return { size, note, keptAt: statSync(join(folder, `${size}.tsr`)).mtimeMs };
  } catch {
    return undefined; // none, or half of one: another is asked for
  }
}

/** `replaceFile`, but nobody waits for the disk; two processes may keep the same one. */
async function place(folder: string, name: string, content: Uint8Array): Promise<void> {
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncNames(folder);
}

async function syncNames(folder: string): Promise<void> {
  const directory = await open(folder, 'r');
  await directory.sync().finally(() => directory.close());
}
