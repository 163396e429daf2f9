/** `writ lineage`: find, show, verify and prove entries of a log, from its files, without a lock. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { exportEntries, exportFormats } from './lineage/export.ts';
import { countOf, registerProofs, wholeNumber } from './lineage/proofs.ts';
import { reindex } from './lineage/reindex.ts';
import { replayDecisions } from './lineage/replay.ts';
import { addFilterFlags } from './lineage/search.ts';
import { registerRetention } from './lineage/retention.ts';
import { showEntries, showEntry } from './lineage/show.ts';
import { registerTimestamp } from './lineage/timestamp.ts';
import { verifyLineage } from './lineage/verify.ts';
import { addHomeFlags } from './settings-flags.ts';
import { TIMESTAMP_FLAG, TSA_POLICY_FLAG, TSA_ROOTS_FLAG } from './timestamp-flags.ts';

/** Adds `writ lineage …`. */
export function registerLineage(program: Command): void {
  const lineage = program.command('lineage').description('The log of every decision, tamper-evident.');
  addFilterFlags(
    addHomeFlags(
      lineage.command('show').description('Show the last entries, those of a filter, or one in full.'),
    ),
  )
    .argument('[seq]', 'number of one entry', wholeNumber)
    .option('-n, --limit <count>', 'at most so many entries', countOf, 20)
    .option('--from <seq>', 'from this entry on: the first ones instead of the last', wholeNumber)
    .option('-f, --follow', 'and those that come, until it is stopped; with --from all from there on')
    .option('--json', 'as JSON; of several entries one on each line')
    .action((seq: number | undefined, _, command: Command) =>
      seq === undefined ? showEntries(command) : showEntry(seq, command),
    );
  addHomeFlags(
    lineage
      .command('reindex')
      .description(
        'Make the catalogue, by which entries are found, anew. Readers do so by themselves when it is bad.',
      ),
  )
    .option('--json', 'as JSON')
    .action((_, command: Command) => reindex(command));
  registerMaterial(lineage);
  addHomeFlags(
    lineage
      .command('verify')
      .description('Verify the whole log. Exit 1 where it is damaged, with the entry’s number.'),
  )
    .option('--trust <file>', 'take the log’s key from this trust file, not from the log itself')
    .option(
      '--checkpoint <file>',
      'a checkpoint, tlog-proof or denial known from elsewhere: the log must contain its tree',
    )
    .option('--timestamp <file>', `${TIMESTAMP_FLAG} of --checkpoint`)
    .option('--tsa-roots <file>', TSA_ROOTS_FLAG)
    .option('--tsa-policy <oid>', TSA_POLICY_FLAG)
    .option('--every-head', 'check the signature of every head, not only of those that no later one covers')
    .option('--json', 'as JSON')
    .action((_, command: Command) => verifyLineage(command));
  registerTimestamp(lineage);
  registerProofs(lineage);
  registerRetention(lineage);
}

/** What is made of decisions and of what was kept of them. */
function registerMaterial(lineage: Command): void {
  addFilterFlags(
    addHomeFlags(
      lineage
        .command('replay')
        .description('Evaluate recorded decisions again. Exit 1 where one comes out differently.'),
    ),
  )
    .option('--policy <bundle>', 'by this bundle, instead of the one that decided then')
    .option('--inputs <file>', 'where inputs are that this home does not keep: an opa-decision-log export')
    .option('--json', 'as JSON, one decision on each line, the summary last')
    .action((_, command: Command) => replayDecisions(command));
  addFilterFlags(
    addHomeFlags(lineage.command('export').description('Write entries in a format that other tools read.')),
  )
    .addOption(new Option('--format <format>', 'which one').choices(exportFormats).default('jsonl'))
    .option(
      '--mask <path>',
      'leave this out, such as /input/call/headers; again for more',
      (path: string, before: readonly string[] = []) => [...before, path],
    )
    .option('--mask-policy <file>', 'Rego whose data.system.log.mask says what to leave out, as for OPA')
    .option('-o, --output <file>', 'write it to a file')
    .action((_, command: Command) => exportEntries(command));
}
