/** Settings from all their sources: read once, strictly, with every fault at once and its place. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { canonicalJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { SettingsFault } from './fault.ts';
import { fileFault } from './file-fault.ts';
import { readSettingsText } from './file.ts';
import type { SettingsFile } from './file.ts';
import { nearest, readEnvironment, readFlags } from './layer.ts';
import type { GivenFlag, GivenValue } from './layer.ts';
import { settingsSchema, settingsTable } from './schema.ts';
import type { Settings, TableRow } from './schema.ts';

/** Where settings may come from. */
export interface Sources {
  readonly flags: readonly GivenFlag[];
  /** `--config FILE`; absent: `writ.yaml` in the working folder, where there is one. */
  readonly configFile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of the working folder. */
  readonly cwd: string;
}

/** All settings, or all faults. */
export type Loaded =
  | {
      readonly ok: true;
      readonly settings: Settings;
      /** `listen.forward` → `default`, `writ.yaml:3`, `WRIT_LISTEN__FORWARD` or `--forward`. */
      readonly sources: ReadonlyMap<string, string>;
      /** The file that was read, if any. */
      readonly file: string | undefined;
    }
  | { readonly ok: false; readonly faults: readonly SettingsFault[] };

const MAX_FILE_BYTES = 1024 * 1024;
const HOME = '<home>';

/** Loads settings: flags over environment over file over defaults. Reads at most one file; never throws. */
export function loadSettings(given: Sources): Loaded {
  const named = given.configFile === undefined ? undefined : resolve(given.cwd, given.configFile);
  const file = named ?? existing(join(given.cwd, 'writ.yaml'));
  const read = file === undefined ? undefined : readFile(file, given.cwd);
  const layers = [readEnvironment(given.env), readFlags(given.flags)];
  const over = layers.flatMap((layer) => layer.values);
  const early = [...(read?.faults ?? []), ...layers.flatMap((layer) => layer.faults)];

  const merged = merge(read, over, {
    cwd: given.cwd,
    fileFolder: file === undefined ? given.cwd : dirname(file),
  });
  const parsed = settingsSchema.safeParse(merged.value);
  const late = parsed.success ? [] : parsed.error.issues.flatMap((issue) => faultsOf(issue, merged.places));
  if (!parsed.success || early.length > 0) return { ok: false, faults: [...early, ...late] };

  const settings = withHome(parsed.data, given.cwd);
  return { ok: true, settings, sources: sourcesOf(merged.places), file };
}

/** SHA-256, hex, over JCS of the effective settings: which rules a call was under (`settings:v1`). */
export function settingsDigest(settings: Settings): string {
  return sha256Hex(canonicalJson(settings as unknown as Json)); // as: plain data, which canonicalJson checks
}

function existing(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

function readFile(file: string, cwd: string): SettingsFile {
  const label = relative(cwd, file).startsWith('..') ? file : relative(cwd, file);
  try {
    if (statSync(file).size > MAX_FILE_BYTES) return unreadable(label, 'is larger than 1 MiB');
    return readSettingsText(new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)), label);
  } catch (fault) {
    return unreadable(label, `cannot be read: ${fileFault(fault)}`);
  }
}

function unreadable(where: string, message: string): SettingsFile {
  return { value: {}, places: new Map(), faults: [{ where, name: '', message }] };
}

type Tree = Record<string, unknown>;

/** One tree of raw values, and the place of each. Relative paths become absolute here, where their base is known. */
function merge(
  file: SettingsFile | undefined,
  over: readonly GivenValue[],
  base: { readonly cwd: string; readonly fileFolder: string },
): { readonly value: Tree; readonly places: ReadonlyMap<string, string> } {
  const value = structuredClone(file?.value ?? {}) as Tree; // as: structuredClone keeps the shape
  const places = new Map(file?.places);
  for (const row of settingsTable) changePaths(value, row, (path) => absolute(path, base.fileFolder));
  for (const { name, value: given, where } of over) {
    const isPath = settingsTable.some((row) => row.name === name && row.kind === 'path');
    place(value, name, () => (isPath ? absolute(given, base.cwd) : given));
    for (const inner of places.keys()) if (inner.startsWith(`${name}.`)) places.delete(inner);
    places.set(name, where);
  }
  return { value, places };
}

/** Replaces the value of `section.name` in the tree; a section that is not a map stays, for the schema to refuse. */
function place(tree: Tree, name: string, change: (before: unknown) => unknown): void {
  const [first = '', second] = name.split('.', 2);
  if (second === undefined) return assign(tree, first, change(tree[first]));
  const section = tree[first] ?? {};
  if (typeof section !== 'object' || Array.isArray(section)) return;
  assign(section as Tree, second, change((section as Tree)[second])); // as: an object, see above
  if (Object.keys(section).length > 0) tree[first] = section;
}

function assign(tree: Tree, key: string, value: unknown): void {
  if (value !== undefined) tree[key] = value;
}

function absolute(value: unknown, base: string): unknown {
  const relativePath = typeof value === 'string' && value !== '' && !value.startsWith(`${HOME}/`);
  return relativePath ? resolve(base, value) : value;
}

/** Changes what is a path in one setting: all of it, or the members of its maps that end in `_file`. */
function changePaths(
  tree: Tree,
  { name, kind }: Pick<TableRow, 'name' | 'kind'>,
  change: (path: unknown) => unknown,
): void {
  if (kind === 'path') place(tree, name, change);
  if (kind === 'maps') place(tree, name, (maps) => withFiles(maps, change));
}

function withFiles(maps: unknown, change: (path: unknown) => unknown): unknown {
  if (!Array.isArray(maps)) return maps;
  return maps.map((map: unknown) => {
    if (typeof map !== 'object' || map === null) return map;
    const members = Object.entries(map).map(([name, value]: [string, unknown]) => {
      return [name, name.endsWith('_file') ? change(value) : value];
    });
    return Object.fromEntries(members) as unknown;
  });
}

interface Issue {
  readonly code: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/** A zod issue as faults with their places. An unknown key is a fault of its own. */
function faultsOf(issue: Issue, places: ReadonlyMap<string, string>): readonly SettingsFault[] {
  const name = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') {
    const message =
      issue.code === 'invalid_type' && issue.message.startsWith('Invalid') ? wrongType(issue) : issue.message;
    return [{ where: placeOf(name, places), name, message }];
  }
  return (issue.keys ?? []).map((key) => {
    const full = name ? `${name}.${key}` : key;
    return { where: placeOf(full, places), name: full, message: `no such setting${nearest(full)}` };
  });
}

function wrongType(issue: Issue): string {
  const wanted = 'expected' in issue ? String(issue.expected) : '';
  return wanted === 'object' ? 'must be a map of names and values' : `must be given (${wanted})`;
}

/** The place of the value, or of the nearest thing around it. */
function placeOf(name: string, places: ReadonlyMap<string, string>): string {
  for (let at = name; at; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const found = places.get(at);
    if (found) return found;
  }
  return '';
}

function sourcesOf(places: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map(settingsTable.map(({ name }) => [name, places.get(name) ?? 'default']));
}

/** Every path absolute: `<home>` filled in. */
function withHome(settings: Settings, cwd: string): Settings {
  const home = resolve(cwd, settings.home);
  const filled = (path: unknown): unknown =>
    typeof path === 'string' && path.startsWith(`${HOME}/`) ? join(home, path.slice(HOME.length + 1)) : path;
  const tree: Tree = structuredClone({ ...settings, home });
  for (const { name, kind } of settingsTable) changePaths(tree, { name, kind }, filled);
  return tree as Settings; // as: a text stands where one stood
}
