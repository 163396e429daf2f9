/** The ` --home` that a printed command needs, as a shell reads it; nothing where the home is the usual one. */
export function homeFlag(home: string): string {
  if (home === '.writ') return '';
  return ` --home ${shellWord(home)}`;
}

/** A text as one word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w./+:@%-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
