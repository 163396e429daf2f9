/** `writ lineage show`. */
import type { Command } from 'commander';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { parseStrictJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import { readEntries, readEntry } from '../lineage/read.ts';
import type { LogEntry } from '../lineage/read.ts';
import { readVouched } from '../lineage/replay.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { out } from './screen.ts';
import { requireSettings } from './settings-flags.ts';
import { callOf, memberOf, statementFields, styleOf, textOf, whatOf } from './statement-fields.ts';
import type { Cell } from './table.ts';

/** One entry in full. */
export function showEntry(seq: number, command: Command): void {
  const { settings } = requireSettings(command);
  const bytes = readEntry(layoutOf(settings.home).segments, seq);
  if (!bytes) throw new CommandFailure(EXIT.no, `the log has no entry ${seq} yet`);
  const statement = statementOf({ seq, bytes });
  if (command.opts()['json']) return out.json(statement);
  const isOpen = openPermits(layoutOf(settings.home).segments, [{ seq, statement }]).has(seq);
  out.fields([...statementFields(statement), ['outcome', isOpen ? OUTCOME_UNKNOWN : undefined]]);
  out.line();
  out.json(statement);
}

/** The entries of a range, one line each. */
export function showEntries(command: Command): void {
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const vouched = readVouched(layout, readIdentity(layout).logKey).size;
  const options: Readonly<Record<string, unknown>> = command.opts();
  const entries = select(layout.segments, { count: Number(options['last']), from: options['from'], vouched });
  const shown = entries.map((entry) => ({ seq: entry.seq, statement: statementOf(entry) }));
  const open = openPermits(layout.segments, shown);
  if (options['json'])
    return out.json(
      shown.map(({ seq, statement }) => ({
        seq,
        vouched: seq < vouched,
        ...(open.has(seq) && { outcome: 'unknown' }),
        statement,
      })),
    );
  out.table(
    ['entry', 'at', 'what', 'call', 'agent'],
    shown.map((entry) => row(entry, open.has(entry.seq))),
  );
  const unvouched = shown.filter(({ seq }) => seq >= vouched).length;
  if (unvouched > 0)
    out.line(
      out.paint('dim', `the last ${unvouched} may not be durable yet: the checkpoint file ends before them`),
    );
}

/** An entry that was read. */
interface Shown {
  readonly seq: number;
  readonly statement: Json;
}

/** A permit that nothing closes: its call still runs, or a crash left it so. It never reads as if it had gone well. */
const OUTCOME_UNKNOWN = 'outcome unknown';
const OUTCOME = Buffer.from('"predicateType":"urn:writ:outcome:v1"');

/** Which of these entries are permits without an outcome anywhere in the log. */
function openPermits(segments: string, shown: readonly Shown[]): ReadonlySet<number> {
  const open = new Set(shown.flatMap((entry) => (isPermit(entry) ? [entry.seq] : [])));
  const [first] = open;
  if (first === undefined) return open;
  for (const entry of readEntries(segments, first)) {
    if (Buffer.from(entry.bytes).includes(OUTCOME))
      open.delete(Number(memberOf(memberOf(statementOf(entry), 'predicate'), 'permit')));
    if (open.size === 0) break;
  }
  return open;
}

function isPermit({ statement }: Shown): boolean {
  return textOf(memberOf(memberOf(statement, 'predicate'), 'verdict')) === 'permit';
}

/** The first `count` from `from` on, or the last `count` of all. The log is at least as long as its checkpoint says. */
function select(
  segments: string,
  { count, from, vouched }: { readonly count: number; readonly from: unknown; readonly vouched: number },
): readonly LogEntry[] {
  const start = typeof from === 'number' ? from : Math.max(0, vouched - count);
  const kept: LogEntry[] = [];
  for (const entry of readEntries(segments, start)) {
    kept.push(entry);
    if (kept.length <= count) continue;
    if (typeof from === 'number') return kept.slice(0, count);
    kept.shift();
  }
  return kept;
}

function row({ seq, statement }: Shown, isOpen: boolean): readonly Cell[] {
  const predicate = memberOf(statement, 'predicate');
  return [
    seq,
    textOf(memberOf(memberOf(predicate, 'entry'), 'at')),
    isOpen
      ? { text: `${whatOf(statement)}, ${OUTCOME_UNKNOWN}`, style: 'warn' }
      : { text: whatOf(statement), style: styleOf(predicate) },
    callOf(predicate) || permitOf(predicate),
    textOf(memberOf(memberOf(predicate, 'grant'), 'sub')) ?? '',
  ];
}

/** An outcome names the permit that it closes. */
function permitOf(predicate: Json | undefined): string {
  const permit = memberOf(predicate, 'permit');
  return typeof permit === 'number' ? `of entry ${permit}` : '';
}

function statementOf({ seq, bytes }: LogEntry): Json {
  const statement = parseStrictJson(decodeUtf8(bytes) ?? '');
  if (statement === undefined)
    throw new CommandFailure(EXIT.no, `entry ${seq} is damaged: see \`writ lineage verify\``);
  return statement;
}
