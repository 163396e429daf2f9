/** What a running sidecar may be told anew (SIGHUP, `POST /api/reload`), and what needs a restart. */
import { settingsTable } from '../config/schema.ts';
import type { Settings } from '../config/schema.ts';
import { canonicalJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';

/** Settings that a reload applies; a change of any other is named, and waits for the next start. */
const LIVE: ReadonlySet<string> = new Set(settingsTable.filter(({ live }) => live).map(({ name }) => name));

/** The running settings with what a reload may change taken from the new ones. */
export function applyLive(running: Settings, wanted: Settings): Settings {
  const [after, from] = [{ ...running } as unknown as Tree, wanted as unknown as Tree];
  for (const name of LIVE) {
    const [section = '', member] = name.split('.');
    const value = from[section];
    if (member === undefined) after[section] = value;
    else if (isTree(value)) after[section] = { ...(after[section] as Tree), [member]: value[member] };
  }
  return after as unknown as Settings; // every value stands where one of its own kind stood
}

/** Names of changed settings that only a restart applies. */
export function needRestart(running: Settings, wanted: Settings): readonly string[] {
  const before = flat(running);
  return Object.entries(flat(wanted)).flatMap(([name, text]) =>
    text === before[name] || LIVE.has(name) ? [] : [name],
  );
}

/** Settings as the table names them: sections of members, and a few that are no section. */
type Tree = Record<string, unknown>;

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `section.name` → its value as canonical text. */
function flat(settings: Settings): Readonly<Record<string, string>> {
  const rows = Object.entries(settings).flatMap(([section, value]) => {
    if (!isTree(value)) return [[section, canonicalJson(value as Json)] as const];
    return Object.entries(value).map(
      ([name, inner]) => [`${section}.${name}`, canonicalJson(inner as Json)] as const,
    );
  });
  return Object.fromEntries(rows);
}
