/** The ` --home` that a printed command needs, as a shell reads it; nothing where the home is the usual one. */
export function homeFlag(home: string): string {
  if (home === '.writ') return '';
  return ` --home ${/^[\w./+:@%-]+$/.test(home) ? home : `'${home.replaceAll("'", String.raw`'\''`)}'`}`;
}
