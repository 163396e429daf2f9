/** The ways from a client to the site, and what a client has to be told for each: the matrix is clients by these. */
import type { Test } from 'tap';
import type { TestHome } from '../e2e/home.ts';
import { unredirected } from './redirect.ts';

/** A host that no grant of these tests names: its tunnel is refused. */
export const ELSEWHERE = 'https://elsewhere.test/';

/** One way in. */
export interface Way {
  /** Behind a client's name. */
  readonly name: string;
  /** Why it cannot be shown here, or false. */
  readonly skip: string | false;
  /** The site, as a client that goes this way names it. */
  readonly url: string;
  /** Whether it is `https://`, in the version of HTTP that the client likes. */
  readonly secure: boolean;
  /** Whether the kernel leads there, and no address. */
  readonly redirected: boolean;
  /** Where tunnels are refused to, on the way that has tunnels. */
  readonly elsewhere: readonly string[];
  /** What each call has to bring; nothing where the tunnel brought it. */
  headers(grant?: string): Readonly<Record<string, string>>;
  /** A program's environment: nothing of this process's own but PATH, and the authority under the name `trust`. */
  environment(told?: { readonly trust?: string; readonly grant?: string }): NodeJS.ProcessEnv;
}

/** All of them. */
export type Ways = Readonly<Record<'forward' | 'reverse' | 'redirected', Way>>;

/** What they are made of. */
export interface Places {
  /** `https://localhost:port`. */
  readonly site: string;
  /** `http://127.0.0.1:port`, whose `/api` is the site. */
  readonly reverse: string;
  /** Path of the sidecar's authority. */
  readonly ca: string;
  /** A fresh grant. */
  grant(): string;
  /** The forward port as a proxy URL with this grant. */
  proxy(grant: string): string;
}

/** The ways to a site. */
export function waysTo({ site, reverse, ca, grant: fresh, proxy }: Places): Ways {
  const bare = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
  const trusting = (trust?: string): NodeJS.ProcessEnv => (trust === undefined ? {} : { [trust]: ca });
  const headers = (grant = fresh()): Readonly<Record<string, string>> => ({ 'writ-grant': grant });
  const tunnel = {
    ...{ skip: false, url: site, secure: true, redirected: false, elsewhere: [ELSEWHERE] },
    headers: () => ({}),
    environment: ({ trust, grant = fresh() } = {}) => ({
      ...bare,
      HTTPS_PROXY: proxy(grant),
      ...trusting(trust),
    }),
  } satisfies Omit<Way, 'name'>;
  const direct = {
    ...{ skip: unredirected, url: site, secure: true, redirected: true, elsewhere: [], headers },
    environment: ({ trust, grant = fresh() } = {}) => ({ ...bare, GRANT: grant, ...trusting(trust) }),
  } satisfies Omit<Way, 'name'>;
  const mapped = {
    ...{ skip: false, url: `${reverse}/api`, secure: false, redirected: false, elsewhere: [], headers },
    environment: ({ grant = fresh() } = {}) => ({ ...bare, GRANT: grant }),
  } satisfies Omit<Way, 'name'>;
  return {
    forward: { name: 'through the forward port', ...tunnel },
    reverse: { name: 'to the reverse port', ...mapped },
    redirected: { name: 'redirected to the transparent port', ...direct },
  };
}

/** What was decided from this entry on had come this way. */
export function assertWay(t: Test, home: TestHome, { url, redirected }: Way, from: number): void {
  const decisions = home.entries(from).filter(({ type }) => type === 'decision');
  const original = `127.0.0.1:${new URL(url).port}`;
  t.ok(decisions.length > 0, 'decided');
  for (const { is } of decisions)
    t.strictSame(is['redirected'], redirected ? { original } : undefined, 'and how it came is on record');
}
