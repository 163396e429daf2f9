/** `writ init`: makes a home in one step. */
import type { Command } from 'commander';
import { homeState } from '../sidecar/home.ts';
import { makeDefaultHome } from '../sidecar/first-home.ts';
import { unable, usageFailure } from './exit.ts';
import { out } from './screen.ts';
import { addSettingsFlags, requireSettings } from './settings-flags.ts';

/** Adds the command. */
export function registerInit(program: Command): void {
  addSettingsFlags(program.command('init'))
    .description(
      'Makes the home: log key, receipt key, the empty log with its first entry, the admin token, an empty list of ' +
        'authorities and the default policy. On a complete home it changes nothing.',
    )
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
  const origin = await makeDefaultHome(settings).catch((cause: unknown) => {
    throw unable(cause instanceof Error ? cause.message : String(cause));
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
  out.line('  writ keys new authority    or put an authority’s public key into authorities.json');
  out.line('  writ serve');
}
