/** What the rest of the house knows of the log: a promise for each entry. Threads and disks are behind it. */
import type { Room } from './space.ts';
import type { Draft } from './statement.ts';
import type { TileAddress } from './tiles/tile.ts';

/** One entry to write. */
export interface EntryRequest extends Draft {
  /** Sign a receipt and make an inclusion proof (denials). */
  readonly receipt: boolean;
  /**
   * Taken, and waited for, however slow the log is, and written with the next entry that is in a hurry or 25 ms later:
   * what closes a permit. It lets nothing out.
   */
  readonly patient?: boolean;
  /** Called where the entry became durable only after its promise had been rejected for waiting too long. */
  readonly late?: (seq: number) => void;
}

/** A durable entry. */
export interface Recorded {
  readonly seq: number;
  /** Only where asked for: the DSSE envelope as JSON text, and the C2SP tlog-proof text. */
  readonly evidence?: { readonly receipt: string; readonly proof: string };
}

/** Whether the log can record, as far as is known now. */
export interface LogCondition {
  /** `stalled`: an append waits longer than it may; nothing is taken until the writer answers again. */
  readonly state: 'writing' | 'stalled' | 'failed' | 'closed';
  /** Room on its disk, as its writer last saw it. */
  readonly room: Room;
}

/** What health and metrics show of the log. */
export interface LineageHealth extends LogCondition {
  readonly size: number;
  /** Appends that wait for their sync. */
  readonly waiting: number;
  /** Free bytes of the log's file system. */
  readonly free: number;
}

/**
 * The log as its one writer offers it. Every promise rejects with `LineageUnavailable` once the log cannot record;
 * nothing is acknowledged before its `fdatasync` returned.
 */
export interface Lineage {
  /** `<name>/<16 hex>`: the log's identity and the default audience. */
  readonly origin: string;
  append(request: EntryRequest): Promise<Recorded>;
  /** Several entries, in this order, in one batch. */
  appendAll(requests: readonly EntryRequest[]): Promise<readonly Recorded[]>;
  /** A DSSE envelope (JSON text) over a `refusal:v1` statement: signed, never logged. */
  refuse(statement: string): Promise<string>;
  /** The last released signed checkpoint (a C2SP signed note). */
  checkpoint(): Promise<string>;
  /** tlog-proof text of an entry at the released head; undefined where there is no such entry. */
  proof(seq: number): Promise<string | undefined>;
  /** The receipt of any entry, signed on demand; undefined where there is no such entry. */
  receipt(seq: number): Promise<string | undefined>;
  /** The first `width` hashes of a tile at the released head, 32 bytes each; undefined where it has not so many. */
  tile(address: TileAddress, width: number): Promise<Uint8Array | undefined>;
  health(): Promise<LineageHealth>;
  readonly condition: LogCondition;
  /** Calls back at every change of `condition`. */
  onChange(listener: (condition: LogCondition) => void): void;
  /** Calls back once, when the log stops recording for good. */
  onFailure(listener: (cause: Error) => void): void;
  /**
   * Writes what waits, syncs, closes, releases the lock; waits no longer than an append may. Rejects with
   * `LineageUnavailable` where that failed, but for a log that had failed before.
   */
  close(): Promise<void>;
}

/** The log cannot record: deny, and end what runs. */
export class LineageUnavailable extends Error {
  override readonly name = 'LineageUnavailable';
}
