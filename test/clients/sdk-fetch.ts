/** What the constructor of an SDK takes as its `fetch`. */
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { fetch as proxiedFetch, ProxyAgent } from 'undici';
import type { Teardown } from '../e2e/home.ts';
import type { Stage } from './stage.ts';
import type { Way } from './ways.ts';

/** undici's with a proxy; where there is none, no other than Node's, which is told whom to trust. */
export function sdkFetch(
  t: Teardown,
  stage: Omit<Stage, 'site'>,
  { way, grant }: { readonly way: Way; readonly grant: string },
): { readonly fetch?: typeof fetch } {
  const ca = readFileSync(stage.ca, 'utf8');
  if (way !== stage.ways.forward) {
    setDefaultCACertificates([...getCACertificates(), ca]); // as NODE_EXTRA_CA_CERTS does before a start
    return {};
  }
  const dispatcher = new ProxyAgent({ uri: stage.forward, token: `Bearer ${grant}`, requestTls: { ca } });
  t.teardown(() => dispatcher.destroy());
  return {
    fetch: (input: unknown, init?: object): Promise<Response> =>
      proxiedFetch(input as string, { ...init, dispatcher }) as unknown as Promise<Response>, // undici is Node's fetch
  };
}
