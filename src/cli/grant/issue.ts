/** `writ grant issue`: the running sidecar signs and records; without one, the key file of the home signs. */
import type { Command } from 'commander';
import { v7 } from 'uuid';
import { isThere } from '../../config/file-fault.ts';
import { Authority } from '../../authority/service.ts';
import type { GrantWish } from '../../authority/service.ts';
import { denials } from '../../denial/table.ts';
import { askSidecar } from '../admin-call.ts';
import { CommandFailure, EXIT, unable, usageFailure } from '../exit.ts';
import { authorityKeyFile, homeAudience, readHomeAuthorities, readPrivateKey } from '../home-keys.ts';
import { err, out } from '../screen.ts';
import { requireSettings } from '../settings-flags.ts';
import type { LoadedSettings } from '../settings-flags.ts';

interface Issued {
  readonly token: string;
  readonly jti: string;
  readonly expires: number;
  readonly recorded: boolean;
}

type Options = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

const DEMO_UPSTREAM = 'http://127.0.0.1:18080';
const WHAT_MAY_STAND = 'docs/grants.md says what may stand in a grant.';
const SECONDS = { s: 1, m: 60, h: 3600 } as const;

/** Prints the token alone, or everything about it with `--json`. */
export async function issue(command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const options: Options = command.opts();
  const wish = readWish(options);
  if (!options['location'])
    err.line(
      err.paint('warn', `no --location: it covers ${DEMO_UPSTREAM} only, the upstream of \`writ dev\``),
    );
  const issued = (await issueRunning(settings.home, wish)) ?? issueAlone(settings, wish);
  if (!issued.recorded)
    err.line(
      err.paint(
        'dim',
        'not recorded: signed with this home’s own key, as no `writ dev` runs that would record it',
      ),
    );
  if (options['json']) return out.json(issued);
  out.line(issued.token);
}

/** What the flags ask for. */
function readWish(options: Options): GrantWish {
  const entry = {
    type: 'writ_http',
    locations: list(options['location']) ?? [DEMO_UPSTREAM],
    actions: list(options['action']) ?? ['GET'],
    ...optional('paths', list(options['path'])),
    ...optional('max_calls', whole(options, 'maxCalls')),
    ...optional('max_seconds', whole(options, 'maxSeconds')),
    ...optional('max_request_bytes', whole(options, 'maxRequestBytes')),
    ...optional('max_response_bytes', whole(options, 'maxResponseBytes')),
    ...optional('content_sha256', text(options['contentSha256'])),
    ...optional('mcp_tools', list(options['mcpTool'])),
  };
  return {
    sub: text(options['sub']) ?? '',
    seconds: readSeconds(text(options['ttl']) ?? ''),
    authorization_details: [entry],
    ...optional('aud', text(options['aud'])),
    ...optional('intent', text(options['intent'])),
    ...optional('policy', text(options['policy'])),
    ...optional('claims', readClaims(list(options['claim']))),
  };
}

/** The grant of the running sidecar, undefined where none runs or it embeds no authority. */
async function issueRunning(home: string, wish: GrantWish): Promise<Issued | undefined> {
  const answer = await askSidecar(home, { path: '/authority/grants', body: wish });
  if (!answer || answer.status === 404) return undefined;
  if (answer.status === 201) return answer.body as unknown as Issued; // our own sidecar, proven by its token
  const said = [answer.body['title'], answer.body['detail']].filter(Boolean).join(': ');
  const exit = answer.status === 400 || answer.status === 422 ? EXIT.usage : EXIT.unable;
  const remedy = exit === EXIT.usage ? WHAT_MAY_STAND : undefined;
  throw new CommandFailure(exit, said || `the sidecar answered ${answer.status}`, remedy);
}

function issueAlone(settings: LoadedSettings['settings'], wish: GrantWish): Issued {
  const file = authorityKeyFile(settings.home);
  if (!isThere(file))
    throw unable(
      `no sidecar with an authority runs, and there is no ${file}`,
      'Try `writ dev`, or `writ keys new authority`.',
    );
  const signer = readPrivateKey(file);
  const pair = readHomeAuthorities(settings.grant.authorities).pairs.find(
    ({ key }) => key.id === signer.key.id,
  );
  if (!pair)
    throw unable(
      `${settings.grant.authorities} does not list the key in ${file}`,
      'Add its public half (`writ keys show --json`), or move the file away for `writ keys new authority`.',
    );
  const authority = new Authority({
    signer,
    iss: pair.iss,
    audience: wish.aud ?? homeAudience(settings),
    maxLifetimeSeconds: settings.grant.max_lifetime_seconds,
    wall: () => Date.now(),
    uuid: () => v7(),
  });
  const issued = authority.issue(wish);
  if (!issued.ok) throw usageFailure(`${denials[issued.code].title}: ${issued.detail}`, WHAT_MAY_STAND);
  const { token, grant } = issued.value;
  return { token, jti: grant.root.jti, expires: grant.root.exp, recorded: false };
}

function readSeconds(ttl: string): number {
  const [, digits, unit] = /^([1-9][0-9]{0,8})(s|m|h)?$/.exec(ttl) ?? [];
  if (digits === undefined) throw usageFailure(`--ttl takes a time such as 90s, 10m or 1h, not ${ttl}`);
  return Number(digits) * (unit === 'm' || unit === 'h' ? SECONDS[unit] : 1);
}

function readClaims(pairs: readonly string[] | undefined): Record<string, string> | undefined {
  return pairs && Object.fromEntries(pairs.map(readClaim));
}

function readClaim(pair: string): readonly [name: string, value: string] {
  const equals = pair.indexOf('=');
  if (equals < 1) throw usageFailure(`--claim takes name=value, not ${pair}`);
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}

function whole(options: Options, name: string): number | undefined {
  const given = text(options[name]);
  if (given === undefined) return undefined;
  if (/^(?:0|[1-9][0-9]{0,14})$/.test(given)) return Number(given);
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw usageFailure(`--${flag} takes a whole number, not ${given}`);
}

function list(value: Options[string]): readonly string[] | undefined {
  return Array.isArray(value) ? value.map(String) : undefined;
}

function text(value: Options[string]): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A member only where there is a value. */
function optional<N extends string, V>(name: N, value: V | undefined): { readonly [name in N]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [name in N]: V }); // as: a computed name
}
