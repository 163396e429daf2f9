/** How commands find entries of a log: the flags of a filter, and the catalogue that answers it. */
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { denials } from '../../denial/table.ts';
import { Catalogue } from '../../lineage/catalogue/catalogue.ts';
import type { CatalogueRules, Found } from '../../lineage/catalogue/catalogue.ts';
import { decodeUtf8 } from '../../crypto/bytes.ts';
import { parseStrictJson } from '../../crypto/json.ts';
import type { Json } from '../../crypto/json.ts';
import { damaged } from '../../lineage/fault.ts';
import type { LogFault } from '../../lineage/fault.ts';
import type { EntryFilter } from '../../lineage/filter.ts';
import { readIdentity } from '../../lineage/identity.ts';
import type { LogIdentity } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import type { LogLayout } from '../../lineage/layout.ts';
import { holeOf } from '../../lineage/hole.ts';
import { checkPruned } from '../../lineage/pruned.ts';
import { readVouched } from '../../lineage/replay.ts';
import { treeAt } from '../../lineage/resume.ts';
import { prunedRange, whyPruned } from './pruned.ts';
import { err } from '../screen.ts';
import { requireSettings } from '../settings-flags.ts';
import type { LoadedSettings } from '../settings-flags.ts';

/** Where a command looks for entries, and for which. */
export interface Search {
  readonly settings: LoadedSettings['settings'];
  readonly layout: LogLayout;
  readonly identity: LogIdentity;
  readonly catalogue: Catalogue;
  readonly filter: EntryFilter;
}

/** An entry that was read from the log. */
export interface ReadEntry {
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly statement: Json;
}

const KINDS = 'genesis settings policy grant revocation tunnel decision outcome refusals trust approval gap';

/** Adds the flags of a filter. */
export function addFilterFlags(command: Command): Command {
  return command
    .option('--since <time>', 'from then on: RFC 3339, or so long ago (90s, 15m, 1h, 2d, 1w)', moment)
    .option('--until <time>', 'before then, said the same way', moment)
    .addOption(
      new Option('--verdict <verdict>', 'decisions that let a call out, or did not').choices([
        'permit',
        'deny',
      ]),
    )
    .option('--code <code>', 'denials with this code, and calls that it cut', denialCode)
    .addOption(new Option('--kind <kind>', 'entries of one kind').choices(KINDS.split(' ')))
    .option('--agent <sub>', 'calls of this agent (the grant’s sub)')
    .option('--host <name>', 'calls to this host; *.example.com for all below it', hostName)
    .option('--grant <jti>', 'calls under this grant, and under all that was delegated from it', grantId)
    .option('--revision <text>', 'calls decided by this revision of the policy');
}

/** Opens the catalogue of a command's home and reads its filter. The caller closes the catalogue. */
export function openSearch(command: Command, open = openCatalogue): Search {
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const identity = readIdentity(layout);
  const vouched = readVouched(layout, identity.logKey).size; // before the entries: there may be more of them by then
  const catalogue = open({ layout, origin: identity.origin, onProgress: sayProgress });
  const found = catalogue.refresh();
  if (found < vouched) {
    catalogue.close();
    throw unreadable(found);
  }
  const hole = holeOf(layout);
  if (hole !== undefined) sayPruned(layout, identity, hole);
  return { settings, layout, identity, catalogue, filter: readFilter(command.opts()) };
}

/** Throws `log_damaged` where no entry of the log owns up to the hole. It was vouched for before anything was dropped. */
function sayPruned(layout: LogLayout, { logKey }: LogIdentity, until: number): void {
  checkPruned(layout, treeAt(layout, readVouched(layout, logKey)), until);
  err.line(err.paint('warn', `${prunedRange(until)} are not here: they were pruned`));
}

const openCatalogue = (rules: CatalogueRules): Catalogue => new Catalogue(rules);

/** Reads a found entry from the log; undefined where it was pruned meanwhile. Throws `log_damaged` where it cannot be read. */
export function readFound(
  { catalogue, layout }: Pick<Search, 'catalogue' | 'layout'>,
  { seq, place }: Found,
): ReadEntry | undefined {
  const bytes = catalogue.read({ seq, place });
  if (bytes) return { seq, bytes, statement: statementOf(seq, bytes) };
  if (whyPruned(layout, seq) !== undefined) return undefined;
  throw unreadable(seq); // to pass it over would be to hide it
}

/** An entry's statement. Throws `log_damaged` where its bytes are not one. */
export function statementOf(seq: number, bytes: Uint8Array): Json {
  const statement = parseStrictJson(decodeUtf8(bytes) ?? '');
  if (statement !== undefined) return statement;
  throw unreadable(seq);
}

/** What is said of an entry that should be there. */
export function unreadable(seq: number): LogFault {
  return damaged({ index: seq, what: 'it cannot be read; `writ lineage verify` says what is wrong' });
}

function readFilter(options: Readonly<Record<string, unknown>>): EntryFilter {
  const names = ['since', 'until', 'verdict', 'code', 'kind', 'agent', 'host', 'grant', 'revision'] as const;
  const given = names.flatMap((name) =>
    options[name] === undefined ? [] : [[name, options[name]] as const],
  );
  return Object.fromEntries(given) as EntryFilter; // each option has its own reader or choices above
}

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const RFC3339 = /^(\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d)(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970 of a time on the command line: RFC 3339, or so long ago. */
export function moment(text: string): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (count !== undefined) return Date.now() - Number(count) * (UNIT_MS[unit] ?? 0);
  const [, local] = RFC3339.exec(text) ?? [];
  const at = local !== undefined && isOfCalendar(local) ? Date.parse(text) : NaN;
  if (Number.isNaN(at))
    throw new InvalidArgumentError(
      'Write a time as 2026-05-01T12:00:00Z, or how long ago it was: 90s, 15m, 1h, 2d.',
    );
  return at;
}

/** Date.parse takes February 30th for March 2nd: an answer to a question that nobody asked. */
function isOfCalendar(local: string): boolean {
  const at = Date.parse(`${local}Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(local);
}

/** Reads a host of the command line as entries name it: lower case, punycode, IPv6 in brackets. What no call can have had is a slip of the pen. */
export function hostName(text: string): string {
  const [, below = '', name = ''] = /^(\*\.)?(.*)$/.exec(text) ?? [];
  const isMore = /[*:/?#@\\]/.test(name.replace(/^\[[^\]]*\]$/, ''));
  const host = isMore ? undefined : URL.parse(`http://${name}`)?.hostname;
  if (host === undefined)
    throw new InvalidArgumentError(
      'Write a host without scheme and port: api.example.com, *.example.com, [::1].',
    );
  return below + host;
}

/** A grant's `jti` is a UUID; anything else is in no log, and no answer to a question about it would be one. */
function grantId(text: string): string {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw new InvalidArgumentError(
      'Write the grant’s jti, a UUID; `writ grant inspect` and `writ lineage show` show it.',
    );
  return text.toLowerCase();
}

function denialCode(text: string): string {
  if (!Object.hasOwn(denials, text)) throw new InvalidArgumentError('There is no such denial code.');
  return text;
}

/** Said only where there is a lot to read, and somebody watches. */
function sayProgress(entries: number): void {
  if (process.stderr.isTTY) err.line(err.paint('dim', `catalogue: ${entries} entries read`));
}
