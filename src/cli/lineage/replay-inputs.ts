/** Inputs that come from an export (`writ lineage export --format opa-decision-log`) instead of the home. */
import { isOnRecord } from '../../lineage/inputs-read.ts';
import type { FoundInput } from '../../lineage/inputs-read.ts';
import { readGiven } from '../result-file.ts';

/** Exported inputs, by their salted digest. */
export interface ExportedInputs {
  /** The input, where the file has it whole. */
  find(digest: string): FoundInput | undefined;
  /** Whether the file has it with parts taken out. */
  isMasked(digest: string): boolean;
}

/** One event; any member may be missing or of another shape. */
interface Event {
  readonly input?: unknown;
  readonly erased?: unknown;
  readonly masked?: unknown;
  readonly custom?: { readonly writ?: { readonly digest?: unknown; readonly salt?: unknown } | null } | null;
}

/** Reads the events of a file, one a line; lines that are none are passed over. A command failure where it cannot be read. */
export async function readExportedInputs(file: string): Promise<ExportedInputs> {
  const events = new Map<string, Event>();
  for (const line of (await readGiven(file)).split('\n')) {
    const event = parse(line);
    const digest = event?.custom?.writ?.digest;
    if (event && typeof digest === 'string') events.set(digest, event);
  }
  return {
    find: (digest) => inputOf(events.get(digest), digest),
    isMasked: (digest) => {
      const { erased, masked } = events.get(digest) ?? {};
      return [erased, masked].some((list) => Array.isArray(list) && list.length > 0);
    },
  };
}

/**
 * An input is believed only by its digest: JSON that was written by us reads and writes back to the same text. Of a batch
 * there is a list of them.
 */
function inputOf(event: Event | undefined, digest: string): FoundInput | undefined {
  if (event?.input === undefined) return undefined;
  const salt = event.custom?.writ?.salt;
  const documents: readonly unknown[] = Array.isArray(event.input) ? event.input : [event.input];
  const inputs = documents.map((document) => JSON.stringify(document));
  if (typeof salt !== 'string' || !isOnRecord(inputs, salt, digest)) return undefined;
  return { inputs, salt, result: undefined };
}

function parse(line: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
