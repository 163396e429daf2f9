/** `writ lineage show`. */
import type { Command } from 'commander';
import { Catalogue } from '../../lineage/catalogue/catalogue.ts';
import type { GrantNode } from '../../lineage/catalogue/catalogue.ts';
import { readIdentity } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import type { LogLayout } from '../../lineage/layout.ts';
import { readEntry } from '../../lineage/read.ts';
import { readVouched } from '../../lineage/replay.ts';
import { CommandFailure, EXIT, usageFailure } from '../exit.ts';
import { follow } from './follow.ts';
import { whyPruned } from './pruned.ts';
import { openSearch, readFound, statementOf, unreadable } from './search.ts';
import type { ReadEntry, Search } from './search.ts';
import { out } from '../screen.ts';
import { requireSettings } from '../settings-flags.ts';
import { callOf, memberOf, statementFields, styleOf, textOf, whatOf } from '../statement-fields.ts';
import type { Cell } from '../table.ts';

/** A permit that nothing closes: its call still runs, or a crash left it so. It never reads as if it had gone well. */
const OUTCOME_UNKNOWN = 'outcome unknown';

/** The flags that mean something where one entry was named. */
const OF_ONE: ReadonlySet<string> = new Set(['home', 'config', 'json']);

/** One entry in full. */
export function showEntry(seq: number, command: Command): void {
  const asked = command.options.map((option) => option.attributeName());
  const idle = asked.find((name) => !OF_ONE.has(name) && command.getOptionValueSource(name) === 'cli');
  if (idle !== undefined) throw usageFailure(`--${idle} chooses from many entries, and ${seq} names one`);
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const bytes = readEntry(layout.segments, seq);
  if (!bytes) throw whyNot(layout, seq);
  const statement = statementOf(seq, bytes);
  if (command.opts()['json']) return out.json(statement);
  const catalogue = new Catalogue({ layout, origin: readIdentity(layout).origin });
  const isOpen = isOpenPermit({ catalogue, layout }, { seq, bytes, statement });
  catalogue.close();
  out.fields([...statementFields(statement), ['outcome', isOpen ? OUTCOME_UNKNOWN : undefined]]);
  out.line();
  out.json(statement);
}

/** An entry that is not there was pruned, is not written yet, or should be. */
function whyNot(layout: LogLayout, seq: number): Error {
  const why = whyPruned(layout, seq);
  if (why === undefined && seq < readVouched(layout, readIdentity(layout).logKey).size)
    return unreadable(seq);
  return new CommandFailure(EXIT.no, why ?? `the log has no entry ${seq} yet`);
}

/** The entries that pass the filter, one line each; with `--follow` those that come, too, until it is stopped. */
export async function showEntries(command: Command): Promise<void> {
  const search = openSearch(command);
  const { catalogue } = search;
  try {
    const options: Readonly<Record<string, unknown>> = command.opts();
    const { limit, from } = options;
    const isStream = options['follow'] === true && typeof from === 'number'; // one list, with no gap in it
    const next = isStream ? from : catalogue.refresh();
    const entries = isStream ? [] : select(search, { limit: Number(limit), from });
    if (options['json']) showJson(search, entries);
    else showTable(search, entries, options['follow'] === true);
    if (options['follow'])
      await follow(search, next, options['json'] === true ? printJson(search) : printRow);
  } finally {
    catalogue.close();
  }
}

/** The first ones from `from` on, or the last ones of all. */
function select(
  search: Search,
  { limit, from }: { readonly limit: number; readonly from: unknown },
): readonly ReadEntry[] {
  const order = typeof from === 'number' ? { from, limit } : { limit, newest: true };
  return search.catalogue.find(search.filter, order).flatMap((found) => readFound(search, found) ?? []);
}

function showTable(search: Search, entries: readonly ReadEntry[], following: boolean): void {
  const { filter, catalogue } = search;
  if (filter.grant !== undefined) showTree(catalogue.grantTree(filter.grant));
  const vouched = vouchedSize(search);
  if (following) return entries.forEach((entry) => printRow(entry));
  if (entries.length === 0) return out.line(out.paint('dim', 'no entry matches'));
  out.table(
    ['entry', 'at', 'what', 'call', 'agent'],
    entries.map((entry) => row(entry, isOpenPermit(search, entry))),
  );
  const unvouched = entries.filter(({ seq }) => seq >= vouched).length;
  if (unvouched > 0)
    out.line(
      out.paint('dim', `the last ${unvouched} may not be durable yet: the checkpoint file ends before them`),
    );
}

/** Who was given what by whom, as far as calls are on record. */
function showTree(node: GrantNode, depth = 0): void {
  const counts = `${node.permits} permitted, ${node.denials} denied`;
  out.line(`${'  '.repeat(depth)}${out.paint('name', node.jti)}  ${out.paint('dim', counts)}`);
  for (const child of node.children) showTree(child, depth + 1);
  if (depth === 0) out.line();
}

function vouchedSize({ layout, identity }: Search): number {
  return readVouched(layout, identity.logKey).size;
}

function showJson(search: Search, entries: readonly ReadEntry[]): void {
  const vouched = vouchedSize(search);
  for (const entry of entries) {
    const { seq, statement } = entry;
    const isOpen = isOpenPermit(search, entry);
    out.jsonLine({ seq, vouched: seq < vouched, ...(isOpen && { outcome: 'unknown' }), statement });
  }
}

/** Whether an entry is a permit that no entry closes. What is said to close it is read from the log. */
function isOpenPermit(search: Pick<Search, 'catalogue' | 'layout'>, { seq, statement }: ReadEntry): boolean {
  if (textOf(memberOf(memberOf(statement, 'predicate'), 'verdict')) !== 'permit') return false;
  const found = search.catalogue.outcomeOf(seq);
  const outcome = found && readFound(search, found)?.statement;
  return memberOf(memberOf(outcome, 'predicate'), 'permit') !== seq;
}

function row({ seq, statement }: ReadEntry, isOpen: boolean): readonly Cell[] {
  const predicate = memberOf(statement, 'predicate');
  return [
    seq,
    textOf(memberOf(memberOf(predicate, 'entry'), 'at')),
    isOpen
      ? { text: `${whatOf(statement)}, ${OUTCOME_UNKNOWN}`, style: 'warn' }
      : { text: whatOf(statement), style: styleOf(predicate) },
    callOf(predicate) || permitOf(statement),
    textOf(memberOf(memberOf(predicate, 'grant'), 'sub')) ?? '',
  ];
}

/** An outcome names the permit that it closes. */
function permitOf(statement: ReadEntry['statement']): string {
  const permit = memberOf(memberOf(statement, 'predicate'), 'permit');
  return typeof permit === 'number' ? `of entry ${permit}` : '';
}

const printJson =
  (search: Search) =>
  (entry: ReadEntry): void => {
    const { seq, statement } = entry;
    out.jsonLine({ seq, vouched: seq < vouchedSize(search), statement });
  };

/** A line of a list that goes on: a permit just given has no outcome yet, which says nothing. */
function printRow(entry: ReadEntry): void {
  out.table([], [row(entry, false)]);
}
