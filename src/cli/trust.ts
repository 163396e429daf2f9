/** `writ trust export`: the trust file that verifiers of this sidecar's denials need. */
import type { Command } from 'commander';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import { formatTrust } from '../receipt/trust-file.ts';
import { writeResult } from './result-file.ts';
import { err } from './screen.ts';
import { addHomeFlags, requireSettings } from './settings-flags.ts';

/** Adds `writ trust export`. */
export function registerTrust(program: Command): void {
  const trust = program.command('trust').description('Keys that verifiers of denials believe.');
  addHomeFlags(
    trust.command('export').description('Print the trust file of this home’s log: public keys only.'),
  )
    .option('-o, --output <file>', 'write it to a file')
    .action((_, command: Command) => exportTrust(command));
}

function exportTrust(command: Command): void {
  const { settings } = requireSettings(command);
  const { origin, receiptKey, logKey } = readIdentity(layoutOf(settings.home));
  writeResult(formatTrust(receiptKey, logKey), command.opts()['output']);
  err.line(
    err.paint('dim', `trust file of ${origin}: hand it to verifiers over a channel that you both trust`),
  );
}
