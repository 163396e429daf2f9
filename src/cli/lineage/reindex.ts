/** `writ lineage reindex`. */
import type { Command } from 'commander';
import { Catalogue } from '../../lineage/catalogue/catalogue.ts';
import { openSearch } from './search.ts';
import { out } from '../screen.ts';

/** Makes the catalogue anew from the log. */
export function reindex(command: Command): void {
  const { catalogue, layout } = openSearch(command, (rules) => Catalogue.rebuild(rules));
  const entries = catalogue.refresh();
  catalogue.close();
  if (command.opts()['json']) return out.json({ entries, file: layout.catalogue });
  out.line(`${entries} entries can be found, by ${layout.catalogue}`);
}
