/** `writ grant inspect`: what a grant says, and whether this home would accept it now. */
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { isThere } from '../../config/file-fault.ts';
import { node, sha256Hex } from '../../crypto/node.ts';
import { denials } from '../../denial/table.ts';
import { readClaims } from '../../grant/claims.ts';
import type { RootClaims, ScopeEntry } from '../../grant/grant.ts';
import { parseTokens } from '../../grant/token.ts';
import { GrantVerifier } from '../../grant/verify.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { homeAudience, readHomeAuthorities } from '../home-keys.ts';
import { out } from '../screen.ts';
import { requireSettings } from '../settings-flags.ts';
import type { LoadedSettings } from '../settings-flags.ts';
import type { Style } from '../table.ts';

/** What this home says of a grant. Without an `authorities.json` nobody can say anything. */
interface Verdict {
  readonly word: 'accepted' | 'refused' | 'unchecked';
  readonly code?: keyof typeof denials;
  readonly why: string;
}

const STYLES: Readonly<Record<Verdict['word'], Style>> = {
  accepted: 'good',
  refused: 'bad',
  unchecked: 'warn',
};

/** Shows a grant; exit 1 where this home would refuse it, 3 where it cannot say. */
export async function inspectGrant(given: string, command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const token = (given === '-' ? await readAll(process.stdin) : given).trim();
  const { root, digest } = readGrant(token);
  const verdict = judge(settings, token, root);
  process.exitCode = { accepted: EXIT.yes, refused: EXIT.no, unchecked: EXIT.unable }[verdict.word];
  if (command.opts()['json']) return out.json({ verdict, digest, grant: root });
  print(verdict, root, digest);
}

/** The claims as they stand, signed or not; a command failure (exit 1) where there are none. */
function readGrant(token: string): { readonly root: RootClaims; readonly digest: string } {
  const tokens = parseTokens(token);
  const claims = tokens.ok ? readClaims(tokens.value[0].payload) : tokens;
  if (tokens.ok && claims.ok)
    return { root: claims.value.root, digest: sha256Hex(tokens.value[0].signingInput) };
  const refusal = tokens.ok ? claims : tokens;
  const said = refusal.ok ? '' : `${denials[refusal.code].title}: ${refusal.detail}`;
  throw new CommandFailure(EXIT.no, said);
}

/** Everything but the active policy bundle, which only the running sidecar knows. */
function judge(settings: LoadedSettings['settings'], token: string, root: RootClaims): Verdict {
  const { authorities, max_lifetime_seconds } = settings.grant;
  if (!isThere(authorities)) return { word: 'unchecked', why: `there is no ${authorities}` };
  const verifier = new GrantVerifier({
    suite: node,
    authorities: readHomeAuthorities(authorities),
    audience: homeAudience(settings),
    maxLifetimeSeconds: max_lifetime_seconds,
    clockSkewSeconds: 30,
  });
  const verified = verifier.verify({ from: 'writ-grant', text: token }, Date.now(), root.policy);
  if (verified.ok) return { word: 'accepted', why: `signed by ${verified.value.key.id}` };
  return { word: 'refused', code: verified.code, why: denials[verified.code].title };
}

function print({ word, code, why }: Verdict, root: RootClaims, digest: string): void {
  out.line(
    `${out.paint(STYLES[word], word)}  ${out.paint('strong', code ?? '')}${code ? '  ' : ''}${out.paint('dim', why)}`,
  );
  out.line();
  out.fields([
    ['from', root.iss],
    ['to', root.sub],
    ['for sidecar', root.aud],
    ['id', root.jti],
    ['issued', moment(root.iat)],
    ['not before', root.nbf === undefined ? undefined : moment(root.nbf)],
    ['expires', moment(root.exp)],
    ['intent', root.intent],
    ['policy', root.policy],
    ...Object.entries(root.claims).map(([name, fact]) => [`claim ${name}`, fact] as const),
    ['digest', digest],
  ]);
  out.line();
  out.table(['entry', 'locations', 'actions', 'paths', 'limits'], root.scope.map(row));
}

function row(entry: ScopeEntry, index: number): readonly (string | number)[] {
  const { locations, actions, paths } = entry;
  const patterns = paths?.map((segments) => `/${segments.map(encodeURIComponent).join('/')}`) ?? ['all'];
  return [index, locations.join(' '), actions.join(' '), patterns.join(' '), limits(entry)];
}

function limits(entry: ScopeEntry): string {
  const named = Object.entries(entry).filter(([name]) => /^max_|^content_|^mcp_/.test(name));
  return named.map(([name, value]) => `${name}=${String(value)}`).join(' ') || 'none';
}

/** A time, and how far away it is. */
function moment(seconds: number): string {
  const away = Math.round(seconds - Date.now() / 1000);
  const distance = away < 0 ? `${-away} s ago` : `in ${away} s`;
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : `${date.toISOString()} (${distance})`;
}
