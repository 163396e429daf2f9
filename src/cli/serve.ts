/** `writ serve`: the sidecar, as it runs beside an agent. */
import type { Command } from 'commander';
import { makeLog } from '../config/log.ts';
import { faultText } from '../config/fault.ts';
import { homeState } from '../sidecar/home.ts';
import { startSidecar } from '../sidecar/start.ts';
import type { SidecarOptions } from '../sidecar/start.ts';
import { unable } from './exit.ts';
import { version } from './version.ts';
import { runUntilStopped, startFailure } from './run-sidecar.ts';
import { addSettingsFlags, loadFor, requireSettings } from './settings-flags.ts';

/** Adds the command. */
export function registerServe(program: Command): void {
  addSettingsFlags(program.command('serve'))
    .description(
      'Runs the sidecar on a home that `writ init` made. SIGTERM stops it after running calls have ended (or were cut, ' +
        'see stop.grace_seconds); SIGHUP reads settings, authorities and policy again.',
    )
    .action((_options, command: Command) => serve(command));
}

async function serve(command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  if (homeState(settings.home) === 'missing')
    throw unable(
      `there is no home in ${settings.home}`,
      'Make one with `writ init`, or name another with --home.',
    );
  const log = makeLog(settings.log.level, process.stderr);
  const options = { settings, log, version: version(), exposed: false, reread: () => rereadFor(command) };
  process.on('SIGHUP', () => undefined); // while it starts, all it reads is new enough
  const sidecar = await startSidecar(options).catch((cause: unknown) => {
    throw startFailure(cause);
  });
  const stopped = runUntilStopped({ sidecar, stop: () => sidecar.stop() }, log);
  log.info('listening', { ...sidecar.urls, origin: sidecar.origin, ready: sidecar.readiness.ready }); // and hears signals
  process.exitCode = await stopped;
}

/** The settings of the same command line, read again. */
export function rereadFor(command: Command): ReturnType<SidecarOptions['reread']> {
  const loaded = loadFor(command);
  return loaded.ok
    ? { ok: true, settings: loaded.settings }
    : { ok: false, faults: loaded.faults.map(faultText) };
}
