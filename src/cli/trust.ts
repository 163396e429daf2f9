/** `writ trust`: what others need to believe this sidecar: verifiers of its denials, and agents whose TLS it opens. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isThere } from '../config/file-fault.ts';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import { formatTrust } from '../receipt/trust-file.ts';
import { tlsAuthorityPaths } from '../sidecar/tls-authority.ts';
import { verifiersWitnesses } from '../sidecar/witnessing.ts';
import { unable } from './exit.ts';
import { writeResult } from './result-file.ts';
import { err } from './screen.ts';
import { addHomeFlags, requireSettings } from './settings-flags.ts';

/** Adds `writ trust export|ca`. */
export function registerTrust(program: Command): void {
  const trust = program.command('trust').description('What verifiers of denials, and agents, believe.');
  addHomeFlags(
    trust.command('export').description('Print the trust file of this home’s log: public keys only.'),
  )
    .option('-o, --output <file>', 'write it to a file')
    .action((_, command: Command) => exportTrust(command));
  addHomeFlags(
    trust
      .command('ca')
      .description('Print the certificate authority that agents must trust for https (PEM).'),
  )
    .option('-o, --output <file>', 'write it to a file')
    .action((_, command: Command) => exportAuthority(command));
}

function exportAuthority(command: Command): void {
  const { settings } = requireSettings(command);
  const { certificate } = tlsAuthorityPaths(settings.home);
  if (!isThere(certificate)) throw unable(`there is no ${certificate}`, '`writ init` makes it.');
  writeResult(readFileSync(certificate, 'utf8'), command.opts()['output']);
  err.line(
    err.paint('dim', 'give it to agents of this sidecar only; docs/clients.md names each client’s variable'),
  );
}

function exportTrust(command: Command): void {
  const { settings } = requireSettings(command);
  const { origin, receiptKey, logKey } = readIdentity(layoutOf(settings.home));
  writeResult(formatTrust(receiptKey, logKey, verifiersWitnesses(settings)), command.opts()['output']);
  err.line(
    err.paint('dim', `trust file of ${origin}: hand it to verifiers over a channel that you both trust`),
  );
}
