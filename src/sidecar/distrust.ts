/** Who does not take our certificate authority: for the operator, who has to hand it to each client in its own way. */
import { LRUCache } from 'lru-cache';
import type { Log } from '../config/log.ts';
import type { Handshake, Observer } from '../gate/observer.ts';

/** What happened for one host, most recent first. */
export interface Distrusted {
  readonly host: string;
  readonly cause: Handshake['cause'];
  readonly count: number;
}

const MAX_HOSTS = 64;

/** How each kind of client is told whom to trust (docs/clients.md). */
const HINT =
  'hand the client this sidecar’s authority (`writ trust ca`): NODE_EXTRA_CA_CERTS for Node, SSL_CERT_FILE for OpenSSL, ' +
  'Go and httpx, REQUESTS_CA_BUNDLE for requests, CURL_CA_BUNDLE for curl, GIT_SSL_CAINFO for git, ' +
  'npm_config_cafile for npm, keytool -importcert for Java';

/** Counts, and says it once for each host, as long as they are few: on the transparent port agents name any. */
export class Distrust implements Observer {
  readonly #log: Log;
  readonly #seen = new LRUCache<string, Distrusted>({ max: MAX_HOSTS });

  constructor(log: Log) {
    this.#log = log;
  }

  handshake({ host, cause, detail }: Handshake): void {
    const before = this.#seen.get(host);
    const full = this.#seen.size === MAX_HOSTS;
    const count = (before?.count ?? 0) + 1;
    this.#seen.set(host, { host, cause: before?.cause === 'untrusted' ? 'untrusted' : cause, count });
    if (before?.cause === cause || (!before && full))
      return this.#log.debug('TLS with an agent failed', { host, cause, detail });
    if (cause === 'untrusted')
      this.#log.warn('an agent does not trust this sidecar', { host, detail, next: HINT });
    else if (cause === 'unused')
      this.#log.info('an agent closed its TLS before a request; it may not trust this sidecar', {
        host,
        next: HINT,
      });
    else this.#log.info('TLS with an agent failed', { host, detail });
  }

  /** By host, most recent first; at most 64. */
  report(): readonly Distrusted[] {
    return [...this.#seen.values()];
  }

  decided(): void {
    // not its business, as all below
  }
  finished(): void {}
  tunnelled(): void {}
  malformed(): void {}
  aggregated(): void {}
}
