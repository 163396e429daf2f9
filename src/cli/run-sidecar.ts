/** A sidecar as a process: signals, faults of the program, exit code. Shared by `serve` and `dev`. */
import { causeText } from '../config/cause-text.ts';
import type { Log } from '../config/log.ts';
import { LogFault } from '../lineage/fault.ts';
import { PortUnavailable } from '../sidecar/listeners.ts';
import type { Sidecar } from '../sidecar/sidecar.ts';
import { TlsAuthorityFault } from '../sidecar/tls-authority.ts';
import { UpstreamFilesFault } from '../sidecar/upstream-files.ts';
import { EXIT, unable, usageFailure } from './exit.ts';
import type { CommandFailure } from './exit.ts';

/** How long a sidecar whose log failed still answers with signed refusals, in milliseconds. */
const LAST_WORDS_MS = 1000;

/** How long a broken program may take to close its log, in milliseconds. */
const CLOSING_MS = 10_000;

/** `npm start` hands Ctrl-C on a second time: a repeat so soon, in milliseconds, is the same one. */
const REPEAT_MS = 300;

/** Something that runs until it is told to stop. */
export interface Running {
  readonly sidecar: Sidecar;
  stop(): Promise<void>;
  /** Asked at a SIGHUP: whether nobody is there any more to watch it. Then it ends; else it reads its settings again. */
  readonly abandoned?: () => boolean;
}

/** Turns what `startSidecar` rejects with into a command failure that says what to do; other errors stay. */
export function startFailure(cause: unknown): CommandFailure | Error {
  if (cause instanceof LogFault || cause instanceof TlsAuthorityFault) return unable(cause.message);
  if (cause instanceof UpstreamFilesFault)
    return usageFailure(cause.message, 'docs/tls.md says what these files hold.');
  if (cause instanceof PortUnavailable)
    return unable(
      cause.message,
      `Name another with --${cause.listener} address:port (port 0 takes any free one).`,
    );
  return cause instanceof Error ? cause : new Error(String(cause));
}

/** Runs until a signal or the end of the log; answers the exit code. A second signal cuts what still runs. */
export function runUntilStopped({ sidecar, stop, abandoned }: Running, log: Log): Promise<number> {
  return new Promise((resolve) => {
    let ending = false;
    let worst: number = EXIT.yes; // the log may be lost while it stops
    const end = (code: number): void => {
      worst = Math.max(worst, code);
      if (ending) return;
      ending = true;
      stop().then(
        () => resolve(worst),
        (cause: unknown) => {
          log.error('stopping failed', { cause: String(cause) });
          resolve(EXIT.unable);
        },
      );
    };
    let first = Infinity;
    const onSignal = (): void => {
      if (performance.now() - first > REPEAT_MS) sidecar.cut();
      first = Math.min(first, performance.now());
      end(EXIT.yes);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
    process.on('SIGHUP', () => {
      if (abandoned?.()) return end(EXIT.yes);
      sidecar.reload().catch((cause: unknown) => reloadFailed(log, cause));
    });
    heedScreen(end);
    sidecar.onFailure(() => {
      worst = EXIT.unable;
      setTimeout(() => end(EXIT.unable), LAST_WORDS_MS);
    });
    let isBroken = false;
    const broken = (cause: unknown): void => {
      log.error('a fault of the program; stopping', { cause: causeText(cause) });
      if (!isBroken) breakOff({ sidecar, stop }, log);
      isBroken = true;
    };
    process.removeAllListeners('uncaughtException'); // other commands just end
    process.on('uncaughtException', broken).on('unhandledRejection', broken);
  });
}

/** Who read it went away: other commands leave at once, since their answer went nowhere; a sidecar closes its log first. */
function heedScreen(end: (code: number) => void): void {
  const onFault = ({ code }: NodeJS.ErrnoException): void => end(code === 'EPIPE' ? EXIT.yes : EXIT.unable);
  process.stdout.removeAllListeners('error').on('error', onFault);
}

/** What goes wrong in a reload is an answer; this is a fault of the program, and the old rules stay in force. */
function reloadFailed(log: Log, cause: unknown): void {
  log.error('reload failed; what was faulty stays as it was', { faults: [String(cause)] });
}

/**
 * A broken program stops: it forwards nothing more, and its log is closed while that still works. One that goes on
 * breaking is not waited for.
 */
function breakOff({ sidecar, stop }: Running, log: Log): void {
  sidecar.readiness.stop();
  sidecar.cut();
  const exit = (): void => process.exit(EXIT.unable);
  setTimeout(exit, CLOSING_MS).unref();
  stop()
    .catch((worse: unknown) => log.error('stopping failed', { cause: String(worse) }))
    .finally(exit);
}
