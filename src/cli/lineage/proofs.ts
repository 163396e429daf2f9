/** `writ lineage prove|consistency|compare|export-tiles`: what outsiders need to verify a log. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { compareLogs } from './compare.ts';
import { proveConsistency } from './consistency.ts';
import { exportLogTiles } from './export-tiles.ts';
import { proveEntry } from './prove.ts';
import { addHomeFlags } from '../settings-flags.ts';

/** Adds the commands. */
export function registerProofs(lineage: Command): void {
  addHomeFlags(
    lineage.command('prove').description('Print the inclusion proof of an entry (c2sp.org/tlog-proof).'),
  )
    .argument('<seq>', 'number of the entry', wholeNumber)
    .option('-o, --output <file>', 'write it to a file')
    .option('--json', 'as JSON')
    .action((seq: number, _, command: Command) => proveEntry(seq, command));
  addHomeFlags(
    lineage
      .command('consistency')
      .description('Print the proof that the log only grew from one size to another.'),
  )
    .argument('<old>', 'the older size, in entries', wholeNumber)
    .argument('[new]', 'the newer size (default: that of the newest checkpoint)', wholeNumber)
    .option('-o, --output <file>', 'write it to a file')
    .option('--json', 'as JSON')
    .action((old: number, size: number | undefined, ...[, command]: [object, Command]) =>
      proveConsistency({ old, size, command }),
    );
  lineage
    .command('compare')
    .description(
      'Compare two views of one log: the same, one extends the other, or a fork, with a proof that anyone can check. ' +
        'Exit 1 where it forked.',
    )
    .argument('[a]', 'a checkpoint, proof or denial file, a home, a folder of tiles, or a URL')
    .argument('[b]', 'the same')
    .option('--trust <file>', 'take the log’s key from this trust file')
    .option('--check <file>', 'check a proof of forking instead; needs --trust')
    .option('-o, --output <file>', 'write the proof to a file')
    .option('--json', 'as JSON')
    .action((a: string | undefined, b: string | undefined, ...[, command]: [object, Command]) =>
      compareLogs({ a, b, command }),
    );
  addHomeFlags(
    lineage
      .command('export-tiles')
      .description('Write checkpoint and hash tiles as files for any web server (c2sp.org/tlog-tiles).'),
  )
    .argument('<folder>', 'where to write them; what is there already and right is kept')
    .option('--entries', 'the entries too: what agents called, for everyone who may read the folder')
    .option('--json', 'as JSON')
    .action((folder: string, _, command: Command) => exportLogTiles(folder, command));
}

/** Reads a number from the command line. */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is not a whole number.');
  return number;
}

/** Reads how many of something are wanted: none is a slip of the pen. */
export function countOf(text: string): number {
  const count = wholeNumber(text);
  if (count === 0) throw new InvalidArgumentError('It must be 1 or more.');
  return count;
}
