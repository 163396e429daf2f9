/** One thing that the doctor looked at. */
export interface Finding {
  readonly name: string;
  readonly state: 'good' | 'warn' | 'bad';
  /** What was found; may hold text of files and the environment. */
  readonly found: string;
  /** What to do about it. */
  readonly next?: string;
}

/** What findings about the settings are called. */
export const SETTINGS = 'settings';

/** As it should be. */
export const good = (name: string, found: string): Finding => ({ name, state: 'good', found });

/** Works, but may surprise. */
export const warn = (name: string, found: string, next: string): Finding => ({
  name,
  state: 'warn',
  found,
  next,
});

/** Must be mended. */
export const bad = (name: string, found: string, next: string): Finding => ({
  name,
  state: 'bad',
  found,
  next,
});

/** The message of whatever was thrown. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
