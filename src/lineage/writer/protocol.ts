/**
 * What main and the writer thread say to each other. One message carries everything of one turn of main's event loop, as
 * flat as can be: copying objects between threads is what an append costs main most.
 */
import type { TileAddress } from '../tiles/tile.ts';

import type { Room, SpaceRules } from '../space.ts';

/** Something else than an append. */
export type Ask =
  | { readonly kind: 'refuse'; readonly statement: string }
  | { readonly kind: 'proof'; readonly seq: number }
  | { readonly kind: 'receipt'; readonly seq: number }
  /** Answered in base64. */
  | { readonly kind: 'tile'; readonly address: TileAddress; readonly width: number };

/** How many texts stand for one draft. */
export const TEXTS_PER_DRAFT = 4;

/** Main to writer. Answered in order, each by one `TurnAnswer`. */
export interface Turn {
  /** `before`, `between`, `after`, `subject` of each draft to append, in order. */
  readonly texts: readonly string[];
  /** Which of the drafts need a receipt and a proof. */
  readonly evidenceFor: readonly number[];
  readonly asks: readonly Ask[];
  /** Nothing comes after this turn. */
  readonly close: boolean;
}

/** Receipt and proof of a draft of the turn. */
export interface TurnEvidence {
  readonly draft: number;
  readonly receipt: string;
  readonly proof: string;
}

/** What became of an ask: a text, nothing of that number, or why it could not be answered. */
export type AskAnswer = { readonly text: string | undefined } | { readonly fault: string };

/** Writer to main: what became of one turn. */
export interface TurnAnswer {
  /** `seq` of the turn's first draft; the others follow it. */
  readonly first: number;
  readonly evidence: readonly TurnEvidence[];
  readonly answers: readonly AskAnswer[];
}

/** Writer to main. */
export interface WriterMessage {
  /** Of the oldest turns that are not answered yet, in order. */
  readonly answers: readonly TurnAnswer[];
  /** Why the log stopped for good; then no draft of these turns counts as recorded. */
  readonly failure: string | undefined;
  /** The last released checkpoint, and its size. */
  readonly head: string;
  readonly size: number;
  readonly room: Room;
  /** The last message of a log that was closed well. */
  readonly closed?: true;
}

/** The first message of the writer: it is open, or it will not be. */
export type WriterReady =
  | {
      readonly ready: true;
      readonly origin: string;
      readonly head: string;
      readonly size: number;
      readonly room: Room;
    }
  | {
      readonly ready: false;
      readonly code: string;
      readonly message: string;
      readonly index: number | undefined;
    };

/** What the writer thread is started with. */
export interface WriterData {
  readonly home: string;
  /** The first part of the origin that is expected, where one is. */
  readonly name: string | undefined;
  /** A segment that is this long, or this old, is followed by a new one. */
  readonly segmentBytes: number;
  readonly segmentSeconds: number;
  /** How often the `checkpoint` file is brought up to date. */
  readonly vouchMs: number;
  readonly space: SpaceRules;
}
