/** `writ lineage export`: entries in the formats that other tools read. */
import { once } from 'node:events';
import { closeSync, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { fileFault } from '../../config/file-fault.ts';
import type { Json } from '../../crypto/json.ts';
import type { Found } from '../../lineage/catalogue/catalogue.ts';
import { KeptInputs } from '../../lineage/inputs-read.ts';
import type { FoundInput } from '../../lineage/inputs-read.ts';
import { questionOf } from '../../policy/redecide.ts';
import { csvHead, csvLine, csvRow } from './export-csv.ts';
import { masksOf } from './export-mask.ts';
import type { Masks } from './export-mask.ts';
import { ocsfEvent } from './export-ocsf.ts';
import { opaEvent } from './export-opa.ts';
import { unable } from '../exit.ts';
import { openSearch, readFound } from './search.ts';
import type { Search } from './search.ts';
import { err } from '../screen.ts';
import { memberOf, textOf } from '../statement-fields.ts';
import { safeJson } from '../table.ts';

/** The formats, by the name that `--format` takes. */
export const exportFormats = ['jsonl', 'csv', 'ocsf', 'opa-decision-log'] as const;

/** One entry, and what belongs to it. */
export interface Exported {
  readonly seq: number;
  readonly statement: Json;
  /** Of a permit: the entry that closes it. */
  readonly outcome?: Json;
  /** What the policy was asked, where it was kept. */
  readonly asked?: FoundInput;
}

/** A document on its way out; undefined where a format has nothing to say of an entry. */
export type Document = Readonly<Record<string, unknown>>;

interface Format {
  /** Before the first line. */
  readonly head: string;
  document(exported: Exported): Document | undefined;
  line(document: Document): string;
}

const jsonLine = (document: Document): string => `${safeJson(document, 0)}\n`;

const FORMATS: Readonly<Record<(typeof exportFormats)[number], Format>> = {
  jsonl: { head: '', document: ({ seq, statement }) => ({ seq, statement }), line: jsonLine },
  csv: { head: csvHead, document: csvRow, line: csvLine },
  ocsf: { head: '', document: ocsfEvent, line: (event) => jsonLine(withinSchema(event)) },
  'opa-decision-log': { head: '', document: opaEvent, line: jsonLine },
};

/** The schema has one place for what it does not know. */
function withinSchema({ erased, masked, ...event }: Document): Document {
  if (!erased && !masked) return event;
  return { ...event, unmapped: { ...Object(event['unmapped']), ...Object({ erased, masked }) } };
}

const PAGE = 256;

/** Writes every entry that passes the filter, masked. A mask that cannot be applied ends the export: nothing leaks. */
export async function exportEntries(command: Command): Promise<void> {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const name = exportFormats.find((each) => each === options['format']) ?? 'jsonl';
  const masks = await masksOf(name, options);
  const search = openSearch(command);
  const sink = openSink(options['output']);
  try {
    const count = await exportAll(search, { format: FORMATS[name], masks, write: sink.write });
    if (typeof options['output'] === 'string') err.line(`${count} written to ${options['output']}`);
  } finally {
    search.catalogue.close();
    sink.close();
    await masks.close();
  }
}

interface Export {
  readonly format: Format;
  readonly masks: Masks;
  readonly write: (text: string) => Promise<void>;
}

async function exportAll(search: Search, { format, masks, write }: Export): Promise<number> {
  const { catalogue, filter, layout } = search;
  const inputs = new KeptInputs(layout.inputs);
  let count = 0;
  if (format.head) await write(format.head);
  let page: readonly Found[];
  for (let from = 0; ; from = (page.at(-1)?.seq ?? 0) + 1) {
    page = catalogue.find(filter, { from, limit: PAGE });
    const documents = page.flatMap((found): readonly Document[] => {
      const exported = exportedOf(search, inputs, found);
      const document = exported && format.document(exported);
      return document ? [document] : [];
    });
    const masked = await masks.apply(documents);
    count += masked.length;
    await write(masked.map((document) => format.line(document)).join(''));
    if (page.length < PAGE) return count;
  }
}

/** An entry with its outcome and its input; undefined where it is no longer in this home. */
function exportedOf(search: Search, inputs: KeptInputs, found: Found): Exported | undefined {
  const entry = readFound(search, found);
  if (!entry) return undefined;
  const { seq, statement } = entry;
  const isPermit = textOf(memberOf(memberOf(statement, 'predicate'), 'verdict')) === 'permit';
  const closing = isPermit ? search.catalogue.outcomeOf(seq) : undefined;
  const outcome = closing && readFound(search, closing)?.statement;
  const question = questionOf(seq, statement);
  const asked = question && inputs.find(seq, question.input);
  return { seq, statement, ...(outcome !== undefined && { outcome }), ...(asked && { asked }) };
}

interface Sink {
  readonly write: (text: string) => Promise<void>;
  readonly close: () => void;
}

/** A file that only its owner may read, or standard output. */
function openSink(file: unknown): Sink {
  if (typeof file !== 'string') return { write: writeOut, close: () => undefined };
  let fd: number;
  try {
    fd = openSync(file, 'w', 0o600);
    if (fstatSync(fd).isFile()) fchmodSync(fd, 0o600); // it may have been there, for everyone to read
  } catch (cause) {
    throw unable(`${file} cannot be written: ${fileFault(cause)}`);
  }
  const write = (text: string): Promise<void> => {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    return Promise.resolve();
  };
  return { write, close: () => closeSync(fd) };
}

async function writeOut(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}
