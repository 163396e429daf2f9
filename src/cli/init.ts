/** `writ init`: makes a home in one step. */
import type { Command } from 'commander';
import { node } from '../crypto/node.ts';
import { verifyCheckpoint } from '../lineage/checkpoint.ts';
import { parseTrust } from '../receipt/trust-file.ts';
import { homeState } from '../sidecar/home.ts';
import { makeDefaultHome } from '../sidecar/first-home.ts';
import { unable, usageFailure } from './exit.ts';
import { homeFlag } from './home-flag.ts';
import { checkpointIn } from './log-view.ts';
import { ownCommand } from './own-command.ts';
import { readGiven } from './result-file.ts';
import { out } from './screen.ts';
import { addSettingsFlags, requireSettings } from './settings-flags.ts';
import { systemFailure } from './system-fault.ts';

/** Adds the command. */
export function registerInit(program: Command): void {
  addSettingsFlags(program.command('init'))
    .description(
      'Makes the home: log key, receipt key, the empty log with its first entry, the admin token, an empty list of ' +
        'authorities and the default policy. On a complete home it changes nothing.',
    )
    .option(
      '--follows <checkpoint>',
      'the log takes the place of a retired one, whose last checkpoint is in this file',
    )
    .option('--trust <file>', 'the trust file with the retired log’s key')
    .option('--json', 'as JSON')
    .action((_options, command: Command) => initHome(command));
}

async function initHome(command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const state = homeState(settings.home);
  if (state === 'foreign')
    throw usageFailure(
      `${settings.home} is not empty and not a home of Writ`,
      'Name an empty folder with --home.',
    );
  const follows = await retiredCheckpoint(command.opts());
  if (follows !== undefined && state === 'complete')
    throw usageFailure(
      `${settings.home} is complete: what its log follows stands in its first entry`,
      'Name an empty folder with --home.',
    );
  const origin = await makeDefaultHome(settings, follows).catch((cause: unknown) => {
    throw systemFailure(cause) ?? unable(cause instanceof Error ? cause.message : String(cause));
  });
  if (command.opts()['json'])
    return out.json({ home: settings.home, log: origin, created: state !== 'complete' });
  out.line(
    state === 'complete' ? 'The home is complete already; nothing was changed.' : 'The home is ready.',
  );
  out.fields([
    ['home', settings.home],
    ['log', origin],
  ]);
  if (state === 'complete') return;
  out.line();
  out.line('Next: name who may sign grants, then start the sidecar.');
  const at = homeFlag(settings.home);
  const writ = ownCommand();
  out.line();
  out.line(`${writ} keys new authority${at}`);
  out.line(
    out.paint('dim', '# or put the public key of an authority that you have into its authorities.json'),
  );
  out.line(`${writ} serve${at}`);
}

/** An entry has 16 KiB, and cosignatures may make a checkpoint longer than that. */
const MAX_CHECKPOINT = 8192;

/** The checkpoint of the log that the new one is to follow, once its own key vouched for it. */
async function retiredCheckpoint(options: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const { follows, trust } = options;
  if (typeof follows !== 'string') return undefined;
  if (typeof trust !== 'string')
    throw usageFailure('--follows needs --trust', '`writ trust export` on the retired home makes that file.');
  const trusted = parseTrust(node, await readGiven(trust));
  if ('fault' in trusted) throw unable(`${trust} is not a trust file: ${trusted.fault}`);
  const checkpoint = checkpointIn(await readGiven(follows));
  if (checkpoint.length > MAX_CHECKPOINT || !verifyCheckpoint(node, checkpoint, trusted.logs))
    throw unable(
      `there is no checkpoint in ${follows} that a log key in ${trust} signed`,
      'It is `lineage/checkpoint` of the retired home, at most 8 KiB with its cosignatures.',
    );
  return checkpoint;
}
