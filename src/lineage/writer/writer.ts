/** The writer's side of the seam: turns of appends and asks in, answers out. Knows neither threads nor timers. */
import { proofText } from '../proof.ts';
import type { Seal } from '../seal.ts';
import type { Room, Space } from '../space.ts';
import type { Draft } from '../statement.ts';
import type { Appended, Store } from '../store.ts';
import { TEXTS_PER_DRAFT } from './protocol.ts';
import type { Ask, AskAnswer, Turn, TurnAnswer, TurnEvidence, WriterMessage } from './protocol.ts';

/** Answers everything that waits, with one write and one sync for all appends. */
export class LogWriter {
  readonly #store: Store;
  readonly #seal: Seal;
  readonly #space: Space;
  #room: Room;

  constructor(store: Store, seal: Seal, space: Space) {
    this.#store = store;
    this.#seal = seal;
    this.#space = space;
    this.#room = space.room();
  }

  /** One message for each turn, in order: main goes on with the first while the next one's receipts are signed. */
  *answer(turns: readonly Turn[]): Generator<WriterMessage> {
    const drafts = turns.flatMap(draftsOf);
    const appended = drafts.length > 0 ? this.#append(drafts) : undefined;
    let from = 0;
    for (const turn of turns) {
      const evidence = appended ? this.#evidence(turn, appended, from) : [];
      const first = (appended?.first ?? 0) + from;
      from += turn.texts.length / TEXTS_PER_DRAFT;
      yield this.#message([{ first, evidence, answers: turn.asks.map((ask) => this.#ask(ask)) }]);
    }
  }

  /** Brings the `checkpoint` file up to date, and looks for room; answers where there is news. */
  vouch(): WriterMessage | undefined {
    const { failure } = this.#store;
    const before = this.#room;
    try {
      this.#store.vouch();
    } catch {
      // the store keeps the reason and takes nothing any more
    }
    const message = this.#message([]);
    return this.#store.failure === failure && this.#room === before ? undefined : message;
  }

  /** Vouches for all of it and lets the files go. */
  close(): WriterMessage {
    try {
      this.#store.close();
    } catch (cause) {
      return { ...this.#message([]), failure: cause instanceof Error ? cause.message : String(cause) };
    }
    return { ...this.#message([]), closed: true };
  }

  #message(answers: readonly TurnAnswer[]): WriterMessage {
    const { head, size, failure } = this.#store;
    this.#room = this.#space.room();
    return { answers, head, size, failure: failure?.message, room: this.#room };
  }

  #append(drafts: readonly Draft[]): Appended | undefined {
    try {
      const appended = this.#store.append(drafts);
      this.#space.wrote(appended.bytes);
      return appended;
    } catch {
      return undefined; // the store keeps the reason and takes nothing any more
    }
  }

  #evidence(turn: Turn, { first, entries }: Appended, from: number): readonly TurnEvidence[] {
    return turn.evidenceFor.map((draft) => {
      const entry = entries[from + draft];
      if (!entry) throw new Error(`the turn has no draft ${draft}`);
      return { draft, receipt: this.#receipt(entry) ?? '', proof: this.#proof(first + from + draft) ?? '' };
    });
  }

  #ask(ask: Ask): AskAnswer {
    try {
      return { text: this.#answerTo(ask) };
    } catch (cause) {
      return { fault: cause instanceof Error ? cause.message : String(cause) };
    }
  }

  #answerTo(ask: Ask): string | undefined {
    switch (ask.kind) {
      case 'refuse':
        return this.#refuse(ask.statement);
      case 'proof':
        return this.#proof(ask.seq);
      case 'receipt': {
        const entry = this.#store.entry(ask.seq);
        return entry && this.#receipt(entry);
      }
      case 'tile': {
        const hashes = this.#store.tile(ask.address, ask.width);
        return hashes && base64(hashes);
      }
    }
  }

  /** Only a `refusal:v1` is signed without being logged: a signed decision is always an entry. */
  #refuse(statement: string): string | undefined {
    if (!statement.includes('},"predicateType":"urn:writ:refusal:v1","subject":['))
      throw new Error('only refusal:v1 is signed without being logged');
    return this.#receipt(Buffer.from(statement));
  }

  /** A key that signs no more is as bad as a disk that writes no more: undefined, and the store takes nothing any more. */
  #receipt(statement: Uint8Array): string | undefined {
    try {
      return this.#seal.receipt(statement);
    } catch (cause) {
      this.#store.fail(cause);
      return undefined;
    }
  }

  #proof(seq: number): string | undefined {
    const hashes = this.#store.inclusion(seq);
    return hashes && proofText(seq, hashes.map(base64), this.#store.head);
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function draftsOf({ texts }: Turn): readonly Draft[] {
  const drafts: Draft[] = [];
  for (let i = 0; i < texts.length; i += TEXTS_PER_DRAFT) {
    const [before = '', between = '', after = '', subject = ''] = texts.slice(i, i + TEXTS_PER_DRAFT);
    drafts.push({ before, between, after, subject });
  }
  return drafts;
}
