/** Asks one witness for a cosignature (c2sp.org/tlog-witness), as a log does. */
import { node } from '../../crypto/node.ts';
import { formatConsistency } from '../consistency.ts';
import { cosignatureIn } from './cosignature.ts';
import type { NoteKey } from '../note.ts';

/** A witness that is asked. */
export interface WitnessTarget {
  readonly key: NoteKey;
  /** Its submission prefix, such as `https://witness.example/`. */
  readonly url: string;
}

/** POSTs a body; undefined where nobody answers in time. What comes back is untrusted. */
export type Post = (
  url: string,
  body: string,
) => Promise<{ readonly status: number; readonly text: string } | undefined>;

/** A released checkpoint of the log, and how to prove that it extends another size. */
export interface Submission {
  readonly note: string;
  readonly size: number;
  readonly consistency: (oldSize: number) => Promise<readonly Uint8Array[]>;
}

/** What came of asking. */
export type WitnessReply =
  | { readonly kind: 'cosigned'; readonly line: string }
  /** It remembers a larger tree than the log has. */
  | { readonly kind: 'ahead'; readonly size: number }
  /** It says that the log does not extend what it remembers. */
  | { readonly kind: 'contradicted'; readonly size: number }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unreachable' };

const TRIES = 3;
const TEXT_SHOWN = 200;

/**
 * Asks for a cosignature. `remembered` is what the witness is thought to remember; where it remembers another size it
 * says so, and is asked again from there.
 */
export async function askWitness(
  post: Post,
  target: WitnessTarget,
  { submission, remembered }: { readonly submission: Submission; readonly remembered: number },
): Promise<WitnessReply> {
  const { note, size } = submission;
  let oldSize = Math.min(remembered, size);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const hashes = await submission.consistency(oldSize);
    const body = formatConsistency({ oldSize, hashes, checkpoint: note });
    const reply = await post(new URL('add-checkpoint', directory(target.url)).href, body);
    if (!reply) return { kind: 'unreachable' };
    if (reply.status === 200) return cosigned(target, note, reply.text);
    if (reply.status === 422) return { kind: 'contradicted', size: oldSize };
    const told = reply.status === 409 ? sizeIn(reply.text) : undefined;
    if (told === undefined) return refused(`${reply.status} ${reply.text.slice(0, TEXT_SHOWN).trim()}`);
    if (told > size) return { kind: 'ahead', size: told };
    if (told === oldSize) return { kind: 'contradicted', size: told }; // as older witnesses say it
    oldSize = told;
  }
  return refused('it says another size each time');
}

function cosigned({ key }: WitnessTarget, note: string, answer: string): WitnessReply {
  const line = cosignatureIn(node, { note, answer, witness: key });
  return line === undefined
    ? refused('its answer holds no good cosignature of its key')
    : { kind: 'cosigned', line };
}

function refused(why: string): WitnessReply {
  return { kind: 'refused', why };
}

function sizeIn(text: string): number | undefined {
  const size = /^(0|[1-9][0-9]{0,15})\n$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(size) ? size : undefined;
}

function directory(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
