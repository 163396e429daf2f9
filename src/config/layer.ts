/** Where values come from: flags over environment over file over defaults, each with its place for messages. */
import type { SettingsFault } from './fault.ts';
import { settingsTable } from './schema.ts';
import type { TableRow } from './schema.ts';

/** One value as given. */
export interface GivenValue {
  /** `listen.forward`. */
  readonly name: string;
  readonly value: unknown;
  /** `WRIT_LISTEN__FORWARD` or `--forward`. */
  readonly where: string;
}

/** What a layer gave, and what it could not make sense of. */
export interface Layer {
  readonly values: readonly GivenValue[];
  readonly faults: readonly SettingsFault[];
}

/** One flag on the command line, already split. */
export interface GivenFlag {
  /** `listen.forward`. */
  readonly name: string;
  readonly text: string;
  /** As typed: `--forward`. */
  readonly flag: string;
}

const rows: ReadonlyMap<string, TableRow> = new Map(settingsTable.map((row) => [row.name, row]));

/**
 * The environment's settings: `WRIT_HOME`, and every `WRIT_SECTION__NAME`. Other `WRIT_…` names are ignored (Kubernetes
 * makes `WRIT_PORT` for a Service named writ); one with `__` that is no setting is a fault.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Layer {
  const named = Object.entries(env).filter(
    ([variable, text]) => text !== undefined && (variable === 'WRIT_HOME' || /^WRIT_[^_].*__/.test(variable)),
  );
  return gather(
    named.map(([variable, text = '']) => ({
      name: variable.slice('WRIT_'.length).toLowerCase().replace('__', '.'),
      text,
      where: variable,
    })),
  );
}

/** The command line's settings. A list flag may be given several times. */
export function readFlags(flags: readonly GivenFlag[]): Layer {
  const lists = Map.groupBy(flags, ({ name, flag }) => `${name} ${flag}`);
  return gather(
    [...lists.values()].flatMap((same) => {
      const first = same[0];
      if (!first) return [];
      const text =
        rows.get(first.name)?.kind === 'list' ? same.map((one) => one.text).join(',') : same.at(-1)?.text;
      return [{ name: first.name, text: text ?? '', where: first.flag }];
    }),
  );
}

function gather(given: readonly { name: string; text: string; where: string }[]): Layer {
  const values: GivenValue[] = [];
  const faults: SettingsFault[] = [];
  for (const { name, text, where } of given) {
    const row = rows.get(name);
    if (!row) faults.push({ where, name, message: `no such setting${nearest(name)}` });
    else if (row.kind === 'maps')
      faults.push({ where, name, message: 'can only be set in the settings file' });
    else values.push({ name, where, value: valueOf(row, text) });
  }
  return { values, faults };
}

/** Text as the type of its row; text that is not of that type stays text, and the schema says what is wrong. */
function valueOf(row: TableRow, text: string): unknown {
  if (row.kind === 'whole') return /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : text;
  if (row.kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (row.kind === 'list') return text === '' ? [] : text.split(',').map((part) => part.trim());
  return text;
}

/** `; did you mean x?` for a name that is nearly one of the table. */
export function nearest(name: string): string {
  const last = name.split('.').at(-1);
  const close = settingsTable.find(
    (row) => row.name.split('.').at(-1) === last || distance(row.name, name) <= 2,
  );
  return close ? `; did you mean ${close.name}?` : '';
}

/** The first of these names that is nearly this one: two letters off, and not another word. */
export function near(name: string, names: readonly string[]): string | undefined {
  return names.find((other) => distance(other, name) <= Math.min(2, Math.floor(other.length / 2)));
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const swap = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(swap, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
