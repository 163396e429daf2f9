/** What is asked of the scan of a segment, and what it answers: plain data, to go from thread to thread. */

/** A segment to scan. Plain data: it goes to another thread. */
export interface ScanJob {
  readonly path: string;
  /** Its first entry, and the one after its last. */
  readonly first: number;
  readonly until: number;
  /** The log's key in the form of C2SP signed notes. */
  readonly logKey: string;
  /** Whether to check the signature of every head, or of the last one alone. */
  readonly everyHead: boolean;
  /** Memory of an earlier scan, for the hashes of this one. */
  readonly room?: ArrayBuffer;
}

/** A segment without a fault of its own. */
export interface SegmentScan {
  /** Of each batch the leaf hashes of its entries, then the root that it states: 32 bytes each. */
  readonly hashes: Uint8Array<ArrayBuffer>;
  /** The tree size after each batch. */
  readonly sizes: Float64Array;
  /** What its first entry says of the one before, and the chain hash of its last one. Hex. */
  readonly prev: string;
  readonly chain: string;
}
