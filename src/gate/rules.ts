/** What the gate goes by beside grant and policy. */
import type { Route, UpstreamRules } from '../call/route.ts';
import type { Resolver } from './outside.ts';

/** What may change at a reload; a call keeps the rules it began with. */
export interface Rules {
  /** `seq` of the settings entry that put these on record. */
  readonly settings: number;
  readonly routes: readonly Route[];
  /** What is loosened for which upstream origin. */
  readonly origins: ReadonlyMap<string, UpstreamRules>;
  /** `host:port` of tunnels that stay closed. */
  readonly passthrough: ReadonlySet<string>;
  /** Whether the log may hold paths, or their digests only. */
  readonly path: 'full' | 'digest';
  /** Largest body, in bytes, that is held in memory because a grant binds it or policy looks at it. */
  readonly boundBytes: number;
  /** Largest body, in bytes, that lies on disk because a grant binds it and nobody has to parse it. */
  readonly spooledBytes: number;
  /** A body that is held must be whole by then, in milliseconds. */
  readonly boundMs: number;
  /** Vets addresses by the exceptions that these rules name. */
  readonly resolver: Resolver;
}
