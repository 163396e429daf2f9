/** How a row of the table of settings is written down. */
import * as z from 'zod';

/** What the table says about one setting beside its type. */
export interface Note {
  /** `maps`: a list of maps, which only the settings file can hold; members of theirs that end in `_file` are paths. */
  readonly kind: 'text' | 'path' | 'whole' | 'boolean' | 'list' | 'maps';
  /** What it is and why one would change it. */
  readonly description: string;
  /** A reload (SIGHUP) applies it; any other waits for the next start. */
  readonly live?: true;
  /** Its own flag, where it has one; every setting also has `--set name=value`. */
  readonly flag?: string;
}

/** What was said about each row. */
export const notes = z.registry<Note>();

/** One row: how it is read, what it is when absent, and what there is to say about it. */
export function setting<S extends z.ZodType>(
  read: S,
  absent: z.input<NoInfer<S>>,
  note: Note,
): z.ZodPrefault<S> {
  const row = z.prefault(read, absent);
  notes.add(row, note);
  return row;
}

/** A section that may be left out whole. */
export const section = <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape).prefault({} as never); // every row has a default
