/**
 * What a log knows of its witnesses: asks all of them for cosignatures, a round at a time, and keeps the newest checkpoint
 * that a quorum has cosigned. Knows neither timers nor files.
 */
import { node } from '../../crypto/node.ts';
import { parseHead, verifyCheckpoint } from '../checkpoint.ts';
import { cosignatures } from './cosignature.ts';
import { parseNote } from '../note.ts';
import type { NoteKey } from '../note.ts';
import type { Cosigned } from '../tiles/served.ts';
import { askWitness } from './client.ts';
import type { Post, Submission, WitnessReply, WitnessTarget } from './client.ts';

/** What rounds are made of. */
export interface RoundsParts {
  readonly logKey: NoteKey;
  readonly targets: readonly WitnessTarget[];
  /** How many of them must have cosigned. */
  readonly quorum: number;
  readonly post: Post;
  /** The newest released checkpoint. */
  readonly newest: () => Promise<string>;
  /** The consistency proof between two released sizes. */
  readonly consistency: (oldSize: number, newSize: number) => Promise<readonly Uint8Array[] | undefined>;
  /** Unix time in milliseconds. */
  readonly clock: () => number;
}

/** What one witness said last. */
export interface WitnessStanding {
  readonly name: string;
  readonly url: string;
  /** `unasked` until the first round is over. */
  readonly said: WitnessReply['kind'] | 'unasked';
  /** The size that it cosigned last; 0: none since the start. */
  readonly size: number;
  /** Why it refused, in its words or ours. */
  readonly why?: string;
}

/** A witness and the log disagree about the past: one of the two is not what it was. */
export interface Disagreement {
  readonly witness: string;
  readonly kind: 'ahead' | 'contradicted';
  /** The size that the witness remembers, and the log's. */
  readonly remembered: number;
  readonly size: number;
}

/** How it stands with the witnesses. */
export interface WitnessReport {
  /** Whether enough of them cosigned when they were last asked. */
  readonly quorum: 'held' | 'pending';
  /** Entries under the newest checkpoint with a quorum; 0: there is none. */
  readonly size: number;
  /** Unix time in milliseconds of the last quorum, or of the beginning. */
  readonly since: number;
  readonly witnesses: readonly WitnessStanding[];
}

/** What came of a round. */
export interface Round {
  readonly replies: readonly { readonly name: string; readonly reply: WitnessReply }[];
  readonly quorum: boolean;
  readonly disagreement?: Disagreement;
}

const MS = 1000;

/** The witnesses of one log. */
export class WitnessRounds {
  readonly #parts: RoundsParts;
  readonly #standings = new Map<WitnessTarget, WitnessStanding>();
  readonly #remembered = new Map<WitnessTarget, number>();
  #cosigned: Cosigned | undefined;
  #since: number;

  constructor(parts: RoundsParts) {
    this.#parts = parts;
    this.#since = parts.clock();
    for (const target of parts.targets)
      this.#standings.set(target, { name: target.key.name, url: target.url, said: 'unasked', size: 0 });
  }

  /** The newest checkpoint with a quorum. */
  get cosigned(): Cosigned | undefined {
    return this.#cosigned;
  }

  /** Since when nothing newer has a quorum: Unix time in milliseconds of the last quorum, or of the beginning. */
  get since(): number {
    return this.#since;
  }

  get standings(): readonly WitnessStanding[] {
    return [...this.#standings.values()];
  }

  /** Takes up what an earlier process left: believed only where log and quorum of these witnesses signed it. */
  resume(note: string): void {
    const { logKey, targets, quorum } = this.#parts;
    const head = verifyCheckpoint(node, note, [logKey]);
    const found =
      cosignatures(
        node,
        note,
        targets.map(({ key }) => key),
      ) ?? [];
    if (!head || found.length < quorum) return;
    this.#cosigned = { note, size: head.size };
    this.#since = Math.min(this.#since, ...found.map(({ time }) => time * MS));
  }

  /** Asks every witness once for the newest checkpoint. */
  async round(): Promise<Round> {
    const { targets, quorum, newest, clock } = this.#parts;
    const note = await newest();
    const size = parseHead(parseNote(note)?.text ?? '')?.size ?? 0;
    const submission: Submission = { note, size, consistency: (oldSize) => this.#consistency(oldSize, size) };
    const replies = await Promise.all(targets.map((target) => this.#ask(target, submission)));
    const lines = replies.flatMap(({ reply }) => (reply.kind === 'cosigned' ? [reply.line] : []));
    const held = lines.length >= quorum;
    if (held) {
      this.#cosigned = { note: note + lines.join(''), size };
      this.#since = clock();
    }
    const disagreement = replies.flatMap(({ name, reply }) => disagreementOf(name, reply, size))[0];
    return { replies, quorum: held, ...(disagreement && { disagreement }) };
  }

  async #ask(target: WitnessTarget, submission: Submission): Promise<Round['replies'][number]> {
    const remembered = this.#remembered.get(target) ?? 0;
    const reply = await askWitness(this.#parts.post, target, { submission, remembered });
    const before = this.#standings.get(target);
    const { name } = target.key;
    if (reply.kind === 'cosigned') this.#remembered.set(target, submission.size);
    const size = reply.kind === 'cosigned' ? submission.size : (before?.size ?? 0);
    const why = reply.kind === 'refused' ? { why: reply.why } : {};
    this.#standings.set(target, { name, url: target.url, said: reply.kind, size, ...why });
    return { name, reply };
  }

  async #consistency(oldSize: number, newSize: number): Promise<readonly Uint8Array[]> {
    const hashes = await this.#parts.consistency(oldSize, newSize);
    if (!hashes) throw new Error(`the log never had the sizes ${oldSize} and ${newSize}`);
    return hashes;
  }
}

function disagreementOf(witness: string, reply: WitnessReply, size: number): readonly Disagreement[] {
  if (reply.kind !== 'ahead' && reply.kind !== 'contradicted') return [];
  return [{ witness, kind: reply.kind, remembered: reply.size, size }];
}
