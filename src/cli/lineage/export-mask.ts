/**
 * Masks for exports, as OPA's decision log has them: paths to take out, and a Rego rule `data.system.log.mask` that
 * answers with paths or with `{"op": "upsert", "path", "value"}`. The log itself is never masked.
 */
import { basename } from 'node:path';
import type { Compiler, PolicySource } from '../../policy/compiler.ts';
import { Compiler as EmbeddedOpa } from '../../policy/compiler.ts';
import { faultText } from '../../policy/fault.ts';
import { unable, usageFailure } from '../exit.ts';
import type { Document } from './export.ts';
import { readGiven } from '../result-file.ts';

/** The masks of one export. */
export interface Masks {
  /** The documents with what is masked taken out or replaced. Rejects where a mask cannot be applied. */
  apply(documents: readonly Document[]): Promise<readonly Document[]>;
  close(): Promise<void>;
}

/** One mask: what to do, and where. */
interface Mask {
  readonly path: string;
  readonly names: readonly string[];
  /** Absent: the member is taken out. */
  readonly value?: unknown;
}

/** OPA lets masks at these members of an event, and so do we in its format. */
const OPA_ROOTS: ReadonlySet<string> = new Set(['input', 'result', 'nd_builtin_cache']);

/** Reads `--mask` and `--mask-policy`. Throws a usage failure where a path is none. */
export async function masksOf(format: string, options: Readonly<Record<string, unknown>>): Promise<Masks> {
  const roots = format === 'opa-decision-log' ? OPA_ROOTS : undefined;
  const paths = Array.isArray(options['mask']) ? options['mask'].map(String) : [];
  const fixed = paths.map((path) => readMask(path, roots) ?? notAMask(path));
  const file = options['maskPolicy'];
  const rules = typeof file === 'string' ? await readRules(file) : undefined;
  const compiler = rules && new EmbeddedOpa();
  return {
    apply: async (documents) => {
      const own = compiler && rules ? await askRules(compiler, rules, documents) : [];
      return documents.map((document, i) => {
        const more = (own[i] ?? []).map((mask) => readMask(mask, roots) ?? brokenMask(mask));
        return masked(document, [...fixed, ...more]);
      });
    },
    close: async () => compiler?.close(),
  };
}

async function readRules(file: string): Promise<PolicySource> {
  return { files: { [basename(file)]: await readGiven(file) } };
}

/** Every document's masks, in the documents' order. */
async function askRules(
  compiler: Compiler,
  source: PolicySource,
  documents: readonly Document[],
): Promise<readonly (readonly unknown[])[]> {
  if (documents.length === 0) return [];
  const query = '[masks | some event in input.events; masks := data.system.log.mask with input as event]';
  const answered = await compiler.evaluate(source, { query, input: { events: documents } });
  if (!answered.ok)
    throw unable(`the masks cannot be compiled: ${answered.faults.map(faultText).join('; ')}`);
  const [lists] = answered.value.values;
  const isWhole = Array.isArray(lists) && lists.length === documents.length && lists.every(Array.isArray);
  if (!isWhole) throw unable('data.system.log.mask does not answer with a set for every event');
  return lists as readonly (readonly unknown[])[]; // every one is a list, and each member is checked by readMask
}

function readMask(given: unknown, roots: ReadonlySet<string> | undefined): Mask | undefined {
  const rule = typeof given === 'string' ? { op: 'remove', path: given } : given;
  if (typeof rule !== 'object' || rule === null || !('path' in rule) || typeof rule.path !== 'string')
    return undefined;
  const { path } = rule;
  const op = 'op' in rule ? rule.op : 'remove';
  const names = namesOf(path);
  if (!names || (op !== 'remove' && op !== 'upsert') || (roots && !roots.has(names[0] ?? '')))
    return undefined;
  return op === 'upsert' ? { path, names, value: 'value' in rule ? rule.value : null } : { path, names };
}

/** `/input/call/path` → its names; a `/` in a name is written `%2F`, as OPA wants it. */
function namesOf(path: string): readonly string[] | undefined {
  if (!/^(\/[^/]+)+$/.test(path)) return undefined;
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function notAMask(path: string): never {
  throw usageFailure(
    `--mask ${path}: write a path such as /input/call/headers`,
    'In opa-decision-log it begins with /input or /result; in other formats with a member of the record.',
  );
}

function brokenMask(mask: unknown): never {
  throw unable(`data.system.log.mask answered ${JSON.stringify(mask)}, which is no mask`);
}

/** A copy; what was taken out or replaced is named in `erased` and `masked`. */
function masked(document: Document, masks: readonly Mask[]): Document {
  if (masks.length === 0) return document;
  const copy = JSON.parse(JSON.stringify(document)) as Record<string, unknown>; // a document is JSON
  const done = masks.filter((mask) => applyMask(copy, mask));
  const paths = (upsert: boolean): readonly string[] =>
    done.filter((mask) => 'value' in mask === upsert).map(({ path }) => path);
  const [erased, changed] = [paths(false), paths(true)];
  return { ...copy, ...(erased.length > 0 && { erased }), ...(changed.length > 0 && { masked: changed }) };
}

/** Whether there was something to mask. */
function applyMask(document: object, { names, ...mask }: Mask): boolean {
  const last = names.at(-1) ?? '';
  let at: unknown = document;
  for (const name of names.slice(0, -1)) at = memberAt(at, name);
  if (typeof at !== 'object' || at === null) return false;
  const isThere = Object.hasOwn(at, last);
  if (!isThere && (!('value' in mask) || Array.isArray(at))) return false;
  if ('value' in mask || Array.isArray(at)) Object.defineProperty(at, last, property(mask.value ?? null));
  else Reflect.deleteProperty(at, last);
  return true;
}

const property = (value: unknown): PropertyDescriptor => ({
  value,
  configurable: true,
  enumerable: true,
  writable: true,
});

function memberAt(value: unknown, name: string): unknown {
  const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return isThere ? (value as Readonly<Record<string, unknown>>)[name] : undefined; // it has that member
}
