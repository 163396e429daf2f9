/** How upstreams are reached: as whom, and through which proxy. A reload changes what lies in files. */
import { parseOrigin } from '../call/host.ts';
import type { Settings } from '../config/schema.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Address } from '../gate/outside.ts';
import { routeException } from '../proxy/address/exception.ts';
import type { Exception } from '../proxy/address/exception.ts';
import type { VettingResolver } from '../proxy/address/resolver.ts';
import type { TlsIdentity } from '../proxy/upstream/tls-identity.ts';
import type { UpstreamProxy } from '../proxy/upstream/proxy.ts';
import { readUpstreamFiles, UpstreamFilesFault } from './upstream-files.ts';
import type { UpstreamFiles } from './upstream-files.ts';

/** Who asks for the proxy's name. */
const SIDECAR = 'the sidecar itself';

/** What is in force. */
export class UpstreamAccess {
  readonly #proxy: UpstreamProxy | undefined;
  readonly #except: readonly string[];
  #files: UpstreamFiles;

  /** Throws `UpstreamFilesFault`. */
  constructor(settings: Settings, resolver: (exceptions: readonly Exception[]) => VettingResolver) {
    const read = readUpstreamFiles(settings);
    if (!read.ok) throw new UpstreamFilesFault(read.faults.join('\n'));
    const { proxy, proxy_except } = settings.upstream;
    this.#files = read.files;
    this.#proxy = proxy === null ? undefined : this.#reach(proxy, resolver);
    this.#except = proxy_except.map((text) => text.replace(/^\[|\]$/g, ''));
  }

  /** From here on; connections that were opened otherwise are not used again. */
  adopt(files: UpstreamFiles): void {
    this.#files = files;
  }

  /** Who the sidecar is to an upstream. */
  identity(place: { readonly host: string; readonly port: number }): TlsIdentity {
    return this.#files.identities(place);
  }

  /** The proxy on the way to a host. */
  proxyFor(host: string): UpstreamProxy | undefined {
    const excepted = this.#except.some((text) =>
      text.startsWith('.') ? host.endsWith(text) : host === text,
    );
    return excepted ? undefined : this.#proxy;
  }

  /** The operator named it, as a route names its upstream: it may be private, but none of our own listeners. */
  #reach(origin: string, resolver: (exceptions: readonly Exception[]) => VettingResolver): UpstreamProxy {
    const place = parseOrigin(origin);
    if (!place) throw new Error(`upstream.proxy ${origin} is no origin`); // the schema let it through
    const { host, port } = place;
    const vetting = resolver([routeException(place)]);
    return {
      addresses: (): Promise<Outcome<readonly Address[]>> =>
        vetting.vet({ host, port, carrier: 'reverse' }, SIDECAR),
      credentials: () => this.#files.credentials,
    };
  }
}
