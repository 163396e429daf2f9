/**
 * Settings, policy and authorities change under SIGHUP, and the log changes its segment, while calls run: each call is
 * decided by one set of them, which its entry names, and no call fails that every set lets pass.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { authoritiesText, authority, stranger } from '../grant/tokens.ts';
import { serve } from './child-sidecar.ts';
import type { Recorded, TestHome } from './home.ts';
import { startOrigin } from './origin.ts';
import { compiled, PLAYGROUND } from './policies.ts';
import { exchange, forwardHead } from './wire.ts';
import type { Reply } from './wire.ts';

const RELOADS = 12;
const MOST_CALLS = 4000;
/** Who signed its grant was withdrawn while it ran. */
const CUT: Reply = { status: 0, headers: {}, body: '', closed: true };
const AT_ONCE = 8;
const CALLS_A_RELOAD = 4;

/** Only one of the policies lets it pass. */
const isTeapot = (n: number): boolean => n % 3 === 1;
/** Signed by an authority that only some of the lists name. */
const isTheirs = (n: number): boolean => n % 5 === 0;
/** By a route that leads to either origin. */
const isReverse = (n: number): boolean => n % 2 === 0;

/** Written beside and renamed, so that nobody reads half of it (docs/operations.md). */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** A grant that says who signed it: sometimes two may. */
function signedBy(home: TestHome, signer: typeof authority): string {
  return home.forge((recipe) => {
    recipe.signer = signer;
    recipe.header['kid'] = signer.key.id;
  });
}

t.test('reloads and new segments under load', async (t) => {
  const [one, two] = [await startOrigin(t), await startOrigin(t)];
  const wary = await compiled(PLAYGROUND); // refuses teapots
  const usual = fileURLToPath(new URL('../../rego/dist/', import.meta.url));
  const sidecar = await serve(t, {
    origins: [one, two],
    settings: { lineage: { segment_bytes: 65_536 }, policy: { bundle: usual } },
  });
  const { home } = sidecar;
  const mine = signedBy(home, authority);
  const theirs = signedBy(home, stranger);

  let turns = 0;
  const turn = (): void => {
    turns += 1;
    const [upstream, bundle] = [turns % 2 ? two.url : one.url, turns % 3 ? wary : usual];
    home.configure({ routes: [{ prefix: '/api', upstream }], policy: { bundle } });
    const signers = turns % 24 < 20 ? [authority, stranger] : [authority];
    replace(home.layout.authorities, authoritiesText(...signers));
    sidecar.signal('SIGHUP');
  };

  /** `/n`, in the kind of call that it is. */
  const ask = (n: number): Promise<Reply> => {
    const path = `/${isTeapot(n) ? 'teapot' : 'a'}/${n}`;
    const lines = [`Writ-Grant: ${isTheirs(n) ? theirs : mine}`];
    if (!isReverse(n)) return exchange(sidecar.port('forward'), forwardHead('GET', `${one.url}${path}`, ...lines));
    const head = [`GET /api${path} HTTP/1.1`, `Host: 127.0.0.1:${sidecar.port('reverse')}`, ...lines, '', ''];
    return exchange(sidecar.port('reverse'), head.join('\r\n'));
  };

  const reloads = (): number => sidecar.lines.filter(({ msg }) => msg === 'reloaded').length;
  const replies = new Map<number, Reply>();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < MOST_CALLS && reloads() < RELOADS) {
      const n = next++;
      replies.set(n, await (isTheirs(n) ? ask(n).catch(() => CUT) : ask(n)));
      if (replies.size % CALLS_A_RELOAD === 0) turn();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  t.match(await sidecar.reload(), { msg: 'reloaded' });

  const entries = home.entries();
  const settings = new Map(entries.filter(({ type }) => type === 'settings').map((each) => [each.seq, each]));
  t.comment(`${settings.size} settings, ${turns} signals, ${replies.size} calls`);
  const teapotsPass = new Set([revisionOf(usual)]);
  const decisions = entries.filter(({ type }) => type === 'decision');
  const faults: string[] = [];
  for (const [n, reply] of replies) {
    const [entry, ...more] = decisions.filter(({ is }) => pathOf(is).endsWith(`/${n}`));
    if (!entry || (more.length > 0 && !isTheirs(n))) faults.push(`${n} has ${1 + more.length} decisions`);
    else faults.push(...faultsOf({ n, reply, entry, settings, teapotsPass }).map((fault) => `${n}: ${fault}`));
  }
  t.strictSame(faults, []);
  for (const [name, is] of [['a teapot', isTeapot], ['a grant that some lists name', isTheirs]] as const) {
    const statuses = [...replies].filter(([n]) => is(n)).map(([, { status }]) => status);
    t.ok(statuses.includes(200) && statuses.includes(403), `${name} passes under some, and not under others`);
  }
  for (const [origin, name] of [[one, one.url], [two, two.url]] as const)
    for (const { url } of origin.seen) {
      const entry = decisions.find(({ is }) => pathOf(is) === url);
      if ((entry?.is['call'] as { origin: string }).origin !== name) faults.push(`${url} came to ${name}`);
    }
  t.strictSame(faults, [], 'what reached an origin was decided for it');
  await sidecar.stop();
  const { logKey } = readIdentity(layoutOf(home.path));
  t.match(verifyLog({ layout: layoutOf(home.path), logKey, everyHead: true }), { ok: true, torn: 0 });
  t.ok(readdirSync(layoutOf(home.path).segments).length > 5, 'the log went through segments');
}); // prettier-ignore

interface Judged {
  readonly n: number;
  readonly reply: Reply;
  readonly entry: Recorded;
  readonly settings: ReadonlyMap<number, Recorded>;
  readonly teapotsPass: ReadonlySet<string>;
}

/** What does not agree: the answer, the entry, and the settings and the policy that the entry names. */
function faultsOf({ n, reply, entry, settings, teapotsPass }: Judged): readonly string[] {
  const { verdict, code, policy, call } = entry.is as unknown as Decision;
  const said = settings.get(Number(entry.is['settings']))?.is as unknown as Said | undefined;
  if (!said) return ['names no settings entry'];
  const faults: string[] = [];
  if ((verdict === 'permit') !== (reply.status === 200) && !isTheirs(n)) faults.push(`${verdict}, but answered ${reply.status}`);
  if (isReverse(n) && !said.routes.includes(call.origin)) faults.push(`${call.origin} is no route of its settings`);
  const decided = verdict === 'permit' || code === 'policy_denied'; // else something ended it behind its policy's word
  if (policy && decided && isTeapot(n) && (verdict === 'permit') !== teapotsPass.has(policy.revision)) faults.push(`a teapot: ${verdict} by ${policy.revision}`);
  if (verdict === 'permit' && isTheirs(n) && !said.keys.authorities.includes(stranger.key.id)) faults.push('signed by whom its settings do not name');
  const may = [...(isTeapot(n) ? ['policy_denied'] : []), ...(isTheirs(n) ? ['grant_unknown_key'] : [])];
  if (verdict === 'deny' && !may.includes(code)) faults.push(`denied: ${code}`);
  return faults;
} // prettier-ignore

/** Members of a decision of ours. */
interface Decision {
  readonly verdict: string;
  readonly code: string;
  readonly policy?: { readonly revision: string };
  readonly call: { readonly origin: string };
}

/** Members of a settings entry of ours. */
interface Said {
  readonly routes: readonly string[];
  readonly keys: { readonly authorities: readonly string[] };
}

function pathOf(is: Recorded['is']): string {
  return (is['call'] as { path: string }).path; // every call here could be read
}

function revisionOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, '.manifest'), 'utf8')) as { revision: string };
  return manifest.revision;
}
