/** A sidecar between clients and a site, and what must hold of a client that came through it. */
import type { Test } from 'tap';
import { tlsAuthorityPaths } from '../../src/sidecar/tls-authority.ts';
import { serve } from '../e2e/child-sidecar.ts';
import type { ChildSidecar } from '../e2e/child-sidecar.ts';
import { assertDenied } from '../e2e/denied.ts';
import type { Denied, Expected } from '../e2e/denied.ts';
import type { GrantWish, HomePlan, Recorded, Teardown, TestHome } from '../e2e/home.ts';
import { rootFile } from '../e2e/tls-origin.ts';
import { exempt, redirect } from './redirect.ts';
import { PIECES, startSite } from './site.ts';
import type { Answer, Site } from './site.ts';
import { waysTo } from './ways.ts';
import type { Ways } from './ways.ts';

/** What a client says of one answer. */
export interface Heard {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sidecar and site. */
export interface Stage {
  readonly site: Site;
  readonly sidecar: ChildSidecar;
  readonly home: TestHome;
  /** Path of the authority that clients are to trust. */
  readonly ca: string;
  /** `http://127.0.0.1:port` of the forward port. */
  readonly forward: string;
  /** Of the reverse port, whose `/api` is the site. */
  readonly reverse: string;
  /** A grant for all of the site but `/secret`. */
  grant(wish?: GrantWish): string;
  /** The forward port as a proxy URL with this grant, or a fresh one. */
  proxy(grant?: string): string;
  /** The ways to the first origin. */
  readonly ways: Ways;
}

/** A home's plan with origins: clients go to the first. */
export type Served = HomePlan & { readonly origins: readonly [Origin, ...Origin[]] };

interface Origin {
  readonly port: number;
  readonly url: string;
}

/** Starts both; they go with the test. */
export async function startStage(
  t: Teardown,
  { answer, ...plan }: HomePlan & { answer?: Answer } = {},
): Promise<Stage> {
  const site = await startSite(t, answer);
  return { ...(await startSidecar(t, { ...plan, origins: [site] })), site };
}

/** Starts a sidecar before other origins. */
export async function startSidecar(t: Teardown, plan: Served): Promise<Omit<Stage, 'site'>> {
  const { origins } = plan;
  const allow = origins.map(({ port }) => `127.0.0.1:${port}`);
  const upstream = { allow, extra_roots: rootFile, ...plan.settings?.['upstream'] };
  const sidecar = await serve(t, { ...plan, settings: { ...plan.settings, upstream } }, exempt);
  const { home } = sidecar;
  const ca = tlsAuthorityPaths(home.path).certificate;
  const address = `127.0.0.1:${sidecar.port('forward')}`;
  const grant = ({ entry = {}, ...wish }: GrantWish = {}): string =>
    home.grant({ entry: { paths: ['/*', '/open/**'], ...entry }, ...wish });
  const proxy = (token = grant()): string => `http://grant:${token}@${address}`;
  const [forward, reverse] = [`http://${address}`, `http://127.0.0.1:${sidecar.port('reverse')}`];
  const ways = waysTo({ site: origins[0].url, reverse, ca, grant, proxy });
  redirect(origins[0].port, sidecar.port('transparent'));
  return { sidecar, home, ca, forward, reverse, ways, grant, proxy };
}

/** What a client asks of `/echo`: 108,889 bytes that are nowhere the same. */
export const QUESTION = Array.from({ length: 20_000 }, (_, i) => i).join(' ');

/** A permitted call came back whole and right, says so, and is on record so. */
export async function assertPermitted(
  t: Test,
  home: TestHome,
  heard: Heard,
  body: string,
): Promise<Recorded> {
  t.equal(heard.status, 200, 'permitted');
  t.ok(heard.body === body, 'what the site sent', { heard: heard.body.slice(0, 200) });
  return assertOutcome(t, home, heard.headers['writ-decision'], {
    ended: 'complete',
    response: { bytes: Buffer.byteLength(body) },
  });
}

/** The permit of a `Writ-Decision` is in the log, and its outcome is like this. */
export async function assertOutcome(
  t: Test,
  home: TestHome,
  decision: string | null | undefined,
  expected: object = { ended: 'complete' },
): Promise<Recorded> {
  const [, id = '', seq = ''] = /^permit; id="([^"]+)"; entry=(\d+)$/.exec(decision ?? '') ?? [];
  t.match(home.entries(Number(seq))[0], { type: 'decision', id, is: { verdict: 'permit' } }, 'its permit');
  const outcome = await home.outcome(Number(seq));
  t.match(outcome.is, expected, 'and its outcome');
  return outcome;
}

/** Pieces came one by one: the site sends none before the client has had the one before it. */
export function assertPieces(t: Test, heard: readonly string[]): void {
  t.strictSame(heard, PIECES, 'pieces arrive one by one');
}

/** A denied call is the signed denial that the log has. */
export function assertRefused(t: Test, home: TestHome, heard: Heard & Expected): Denied {
  return assertDenied(t, home, { ...heard, reply: { ...heard, closed: false } });
}

/** Nothing but this reached the site, and no grant did. */
export function assertReached(t: Test, site: Site, requests: readonly string[]): void {
  t.strictSame(
    site.seen.map(({ method, path }) => `${method} ${path}`),
    requests,
    'what reached the site',
  );
  for (const { headers } of site.seen)
    t.notOk(headers['writ-grant'] ?? headers['proxy-authorization'], 'and no grant with it');
}
