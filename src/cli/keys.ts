/** `writ keys`: show the keys of a home, make an authority. */
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { makeAuthority } from '../authority/make.ts';
import { isThere } from '../config/file-fault.ts';
import { toJwk } from '../crypto/key.ts';
import { readTlsAuthority, tlsAuthorityPaths } from '../sidecar/tls-authority.ts';
import { EXIT, unable } from './exit.ts';
import { authorityKeyFile, readHomeAuthorities, readPrivateKey } from './home-keys.ts';
import { out } from './screen.ts';
import { addHomeFlags, requireSettings } from './settings-flags.ts';
import { systemFailure } from './system-fault.ts';

interface ShownKey {
  /** The file's name: `log`, `receipt`, `authority` … */
  readonly role: string;
  /** RFC 7638 thumbprint. */
  readonly id: string;
  readonly file: string;
  /** Octal. */
  readonly mode: string;
}

/** Whoever else can read a private key can sign with it. */
const PRIVATE = '600';

/** Adds `writ keys show|new`. */
export function registerKeys(program: Command): void {
  const keys = program.command('keys').description('Keys of this home. Private ones are never printed.');
  addHomeFlags(keys.command('show').description('List the keys and the authorities that may sign grants.'))
    .option('--json', 'as JSON')
    .action((_, command: Command) => show(command));
  const made = keys.command('new').description('Make a key.');
  addHomeFlags(made.command('authority').description('Make a key that signs grants, and trust it here.'))
    .option('--iss <uri>', 'the issuer that it signs as', 'urn:writ:authority:dev')
    .option('--json', 'as JSON')
    .action((_, command: Command) => make(command));
}

/** Exit 1 where a private key can be read by others. */
function show(command: Command): void {
  const { settings } = requireSettings(command);
  const directory = dirname(authorityKeyFile(settings.home));
  if (!isThere(directory)) throw unable(`there is no ${directory}`, 'Make a home with `writ init`.');
  const keys = readdirSync(directory)
    .filter((name) => name.endsWith('.jwk'))
    .map((name) => shownKey(directory, name));
  const ca = shownAuthority(settings.home);
  if (ca) keys.push(ca);
  const file = settings.grant.authorities;
  const pairs = isThere(file) ? readHomeAuthorities(file).pairs : [];
  process.exitCode = keys.every(({ mode }) => mode === PRIVATE) ? EXIT.yes : EXIT.no;
  if (command.opts()['json'])
    return out.json({
      keys,
      authorities: pairs.map(({ iss, key }) => ({ iss, id: key.id, jwk: toJwk(key) })),
    });
  out.table(['key', 'id', 'mode', 'file'], keys.map(keyRow));
  out.line();
  out.table(
    ['authority', 'id'],
    pairs.map(({ iss, key }) => [{ text: iss, style: 'name' }, key.id]),
  );
}

function keyRow({ role, id, mode, file }: ShownKey): Parameters<typeof out.table>[1][number] {
  const style = mode === PRIVATE ? 'dim' : 'bad';
  return [{ text: role, style: 'name' }, id, { text: mode, style }, { text: file, style: 'dim' }];
}

/** The key that signs certificates for agents, where the home has one. */
function shownAuthority(home: string): ShownKey | undefined {
  const { key: file } = tlsAuthorityPaths(home);
  if (!isThere(file)) return undefined;
  return { role: 'ca', id: orUnable(() => readTlsAuthority(home, Date.now)).id, file, mode: modeOf(file) };
}

function modeOf(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

function shownKey(directory: string, name: string): ShownKey {
  const file = join(directory, name);
  return {
    role: name.slice(0, -'.jwk'.length),
    id: readPrivateKey(file).key.id,
    file,
    mode: modeOf(file),
  };
}

function make(command: Command): void {
  const { settings } = requireSettings(command);
  const { iss = '', json } = command.opts<{ readonly iss?: string; readonly json?: boolean }>();
  const keyFile = authorityKeyFile(settings.home);
  const anchors = settings.grant.authorities;
  if (isThere(keyFile))
    throw unable(
      `${keyFile} is there already`,
      'Move it away first; its grants stay valid while authorities.json lists it.',
    );
  const { key } = orUnable(() => makeAuthority({ keyFile, anchors, iss }));
  if (json) return out.json({ iss, id: key.id, file: keyFile, authorities: anchors });
  out.fields([
    ['authority', { text: iss, style: 'name' }],
    ['id', key.id],
    ['key', keyFile],
    ['trusted in', anchors],
  ]);
  out.line(out.paint('dim', 'A sidecar that runs already reads it after SIGHUP (kill -HUP).'));
}

function orUnable<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw systemFailure(cause) ?? unable(cause instanceof Error ? cause.message : String(cause));
  }
}
