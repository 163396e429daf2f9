/** The settings file: a small, strict part of YAML 1.2 (plain maps, lists and scalars), with the line of every value. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { SettingsFault } from './fault.ts';

/** What a file holds. */
export interface SettingsFile {
  /** Null-prototype objects, arrays and scalars. */
  readonly value: Readonly<Record<string, unknown>>;
  /** `listen.forward` or `routes.0.prefix` → `writ.yaml:3`. */
  readonly places: ReadonlyMap<string, string>;
  readonly faults: readonly SettingsFault[];
}

/** Reads the text of a settings file; `label` is how messages call it. Never throws. */
export function readSettingsText(text: string, label: string): SettingsFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'core',
    merge: false,
    stringKeys: true,
  });
  const place = (offset: number): string => `${label}:${lines.linePos(offset).line}`;
  const faults = [...document.errors, ...document.warnings].map(({ message, pos }): SettingsFault => {
    return { where: place(pos[0]), name: '', message: message.split(/ at line|\n/, 1)[0] ?? message };
  });
  const walk = new Walk(place, faults);
  const value = faults.length > 0 ? undefined : walk.node(document.contents, '');
  if (faults.length === 0 && value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    faults.push({ where: `${label}:1`, name: '', message: 'must be a map of sections, such as `listen:`' });
  }
  const usable = faults.length === 0 && value !== null;
  return { value: usable ? (value as Record<string, unknown>) : {}, places: walk.places, faults }; // as: a map, see above
}

/** One pass over the tree that makes plain values and remembers where they stood. */
class Walk {
  readonly places = new Map<string, string>();
  readonly #place: (offset: number) => string;
  readonly #faults: SettingsFault[];

  constructor(place: (offset: number) => string, faults: SettingsFault[]) {
    this.#place = place;
    this.#faults = faults;
  }

  node(node: unknown, name: string): unknown {
    if (isMap(node)) return this.#map(node.items, name);
    if (isSeq(node)) return node.items.map((item, i) => this.#child(item, item, `${name}.${i}`));
    if (isScalar(node)) return node.value;
    if (isAlias(node)) this.#refuse(node.range?.[0], name, 'aliases are not supported; write the value out');
    return null;
  }

  #map(items: readonly { readonly key: unknown; readonly value: unknown }[], name: string): unknown {
    const value = Object.create(null) as Record<string, unknown>; // `Object.create` is typed any
    for (const { key, value: inner } of items) {
      const word = isScalar(key) && typeof key.value === 'string' ? key.value : undefined;
      if (word === undefined) this.#refuse(offsetOf(key), name, 'names must be plain text');
      else value[word] = this.#child(key, inner, name ? `${name}.${word}` : word);
    }
    return value;
  }

  #child(at: unknown, node: unknown, name: string): unknown {
    this.places.set(name, this.#place(offsetOf(at)));
    return this.node(node, name);
  }

  #refuse(offset: number | undefined, name: string, message: string): void {
    this.#faults.push({ where: this.#place(offset ?? 0), name, message });
  }
}

function offsetOf(node: unknown): number {
  return (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined) ?? 0;
}
