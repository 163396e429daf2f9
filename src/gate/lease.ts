/** The right of a running call to go on. */
import type { DenialCode } from '../denial/table.ts';

/** A lease as the proxy sees it. */
export interface Lease {
  readonly alive: boolean;
  /** Why it ended; undefined while it lives. */
  readonly ended: DenialCode | undefined;
  /** Counts body bytes; may end the lease. */
  countRequest(bytes: number): void;
  countResponse(bytes: number): void;
  /** Calls back once, at once where it has ended already. */
  onEnd(listener: (code: DenialCode) => void): void;
}
