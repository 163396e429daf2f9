/** Who does not take our certificate authority: for the operator, who has to hand it to each client in its own way. */
import { LRUCache } from 'lru-cache';
import type { Log } from '../config/log.ts';
import type { Handshake, Observer } from '../gate/observer.ts';
import { clientKind } from './client-kind.ts';

/** What happened with one kind of client for one host. */
export interface Distrusted {
  readonly host: string;
  readonly cause: Handshake['cause'];
  readonly count: number;
  /** The kind of client, and where it looks for whom to trust. */
  readonly client: string;
  readonly tell: string;
}

const MAX_PAIRS = 64;

/** Counts, and says it once for each host and kind, as long as they are few: on the transparent port agents name any host. */
export class Distrust implements Pick<Observer, 'handshake'> {
  readonly #log: Log;
  readonly #seen = new LRUCache<string, Distrusted>({ max: MAX_PAIRS });

  constructor(log: Log) {
    this.#log = log;
  }

  handshake(event: Handshake): void {
    const { host, cause, detail } = event;
    const kind = clientKind(event);
    const pair = `${host} ${kind.client}`;
    const before = this.#seen.get(pair);
    const crowded = !before && this.#seen.size === MAX_PAIRS;
    const worst = before?.cause === 'untrusted' ? 'untrusted' : cause;
    this.#seen.set(pair, { host, cause: worst, count: (before?.count ?? 0) + 1, ...kind });
    if (crowded || before?.cause === cause)
      return this.#log.debug('TLS with an agent failed', { host, cause, detail });
    const next = `\`writ trust ca --output ca.pem\`, then ${kind.tell} (docs/clients.md)`;
    const what = { host, client: kind.client, detail };
    if (cause === 'untrusted') this.#log.warn('an agent does not trust this sidecar', { ...what, next });
    else if (cause === 'unused')
      this.#log.info('an agent closed its TLS before a request; it may not trust this sidecar', {
        ...what,
        next,
      });
    else this.#log.info('TLS with an agent failed', { host, detail });
  }

  /** By host and kind, most recent first; at most 64. */
  report(): readonly Distrusted[] {
    return [...this.#seen.values()];
  }
}
