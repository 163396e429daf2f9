/**
 * A witness (c2sp.org/tlog-witness): remembers the newest checkpoint of each log it knows, and cosigns only what extends
 * it. Check and memory are one transaction, durable before the cosignature is given out. Knows neither HTTP nor disk.
 */
import { equalBytes } from '../../crypto/bytes.ts';
import type { Suite } from '../../crypto/suite.ts';
import { parseHead } from '../checkpoint.ts';
import type { TreeHead } from '../checkpoint.ts';
import { isExtension, parseConsistency } from '../consistency.ts';
import type { ConsistencyProof } from '../consistency.ts';
import { cosign } from './cosignature.ts';
import type { Cosigner } from './cosignature.ts';
import { formatFork } from './fork.ts';
import { emptyRoot } from '../merkle.ts';
import { formatNote, noteSigners, parseNote } from '../note.ts';
import type { NoteKey } from '../note.ts';

/** Remembers one checkpoint for each log. */
export interface WitnessMemory {
  /**
   * Gives `decide` the newest cosigned note of the log (undefined: none yet) and remembers the one it answers with, if
   * any; nobody else gets between. Durable on return. Throws where it cannot read or write: then nothing is remembered.
   */
  update<T>(origin: string, decide: (latest: string | undefined) => Decision<T>): T;
}

/** What to answer, and what to remember from now on. */
export interface Decision<T> {
  readonly answer: T;
  readonly remember?: string;
}

/** What a witness is made of. */
export interface WitnessParts {
  readonly suite: Suite;
  readonly cosigner: Cosigner;
  readonly memory: WitnessMemory;
  /** Log keys that it cosigns for; a log is known by its origin, which is the key's name. */
  readonly logs: () => readonly NoteKey[];
  /** Unix time in milliseconds. */
  readonly clock: () => number;
}

/** An HTTP answer of c2sp.org/tlog-witness. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly type: 'text/plain; charset=utf-8' | 'text/x.tlog.size';
  readonly body: string;
  /** The log, where it is known and signed this. */
  readonly origin?: string;
  /** A proof of forking (`urn:writ:fork:v1`), where the log signed another tree of a size that was cosigned. */
  readonly fork?: string;
}

const MS = 1000;

/** One witness. */
export class Witness {
  readonly #parts: WitnessParts;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
  }

  /** Answers the body (attacker-controlled) of an `add-checkpoint`. Throws where the memory fails. */
  addCheckpoint(body: string): WitnessAnswer {
    const proof = parseConsistency(body);
    const note = proof && parseNote(proof.checkpoint);
    const head = note && parseHead(note.text);
    if (!head) return refusal(400, 'not an old size, a proof and a checkpoint, in their one spelling');
    const { suite, logs, memory } = this.#parts;
    const keys = logs().filter(({ name, type }) => type === 'log' && name === head.origin);
    if (keys.length === 0) return refusal(404, 'this log is not known here');
    const signer = noteSigners(suite, note, keys)?.[0];
    const line = note.signatures.find(({ name, id }) => name === signer?.name && equalBytes(id, signer.id));
    if (!line) return refusal(403, 'not signed by this log’s key');
    if (proof.oldSize > head.size) return refusal(400, 'the old size is larger than the checkpoint’s');
    const submitted = { head, proof, text: note.text, signed: formatNote(note.text, line) };
    const answer = memory.update(head.origin, (latest) => this.#decide(submitted, latest));
    return { ...answer, origin: head.origin };
  }

  #decide(submitted: Submitted, latest: string | undefined): Decision<WitnessAnswer> {
    const { head, proof, text, signed } = submitted;
    const { suite, cosigner, clock } = this.#parts;
    const known = latest === undefined ? { size: 0, root: emptyRoot(suite) } : headOf(latest);
    const forked = known.size === head.size && !equalBytes(known.root, head.root);
    const fork =
      forked && latest !== undefined ? { fork: formatFork({ first: latest, second: signed }) } : {};
    if (proof.oldSize !== known.size) return { answer: { ...conflict(known.size), ...fork } };
    if (forked || !isExtension(suite, { old: known, head, hashes: proof.hashes }))
      return { answer: { ...refusal(422, 'the checkpoint does not extend the one before'), ...fork } };
    const line = cosign(cosigner, text, Math.floor(clock() / MS));
    return { answer: { status: 200, type: PLAIN, body: line }, remember: signed + line };
  }
}

interface Submitted {
  readonly head: TreeHead;
  readonly proof: ConsistencyProof;
  /** The text that the log signed, and the same with the signature that was verified. */
  readonly text: string;
  readonly signed: string;
}

const PLAIN = 'text/plain; charset=utf-8';

function refusal(status: 400 | 403 | 404 | 422, why: string): WitnessAnswer {
  return { status, type: PLAIN, body: `${why}\n` };
}

function conflict(size: number): WitnessAnswer {
  return { status: 409, type: 'text/x.tlog.size', body: `${size}\n` };
}

/** A memory that cannot be read is not an empty one. */
function headOf(latest: string): TreeHead {
  const head = parseHead(parseNote(latest)?.text ?? '');
  if (!head) throw new Error('the witness’s memory holds something else than a checkpoint');
  return head;
}
