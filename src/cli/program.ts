/** The `writ` command: one table of commands, each loaded only when it is asked for. */
import { Command, CommanderError } from 'commander';
import { CommandFailure, EXIT } from './exit.ts';
import { err } from './screen.ts';
import { systemFailure } from './system-fault.ts';
import { version } from './version.ts';
import { safeText } from '../config/safe-text.ts';

interface Row {
  readonly summary: string;
  /** Adds the command, with its subcommands, to the program. */
  readonly load: () => Promise<(program: Command) => void>;
}

/** Every command, in the order of `--help`. */
export const commands: Readonly<Record<string, Row>> = {
  dev: {
    summary: 'everything embedded, to try and to write policies: sidecar, authority, demo upstream',
    load: async () => (await import('./dev.ts')).registerDev,
  },
  demo: {
    summary: 'a story that plays itself: an allowed call, three denials, their verification',
    load: async () => (await import('./demo.ts')).registerDemo,
  },
  init: {
    summary: 'make a home: keys, the empty log, the admin token',
    load: async () => (await import('./init.ts')).registerInit,
  },
  serve: {
    summary: 'the sidecar',
    load: async () => (await import('./serve.ts')).registerServe,
  },
  grant: {
    summary: 'issue and inspect grants',
    load: async () => (await import('./grant.ts')).registerGrant,
  },
  receipt: {
    summary: 'show and verify denials and receipts, offline',
    load: async () => (await import('./receipt.ts')).registerReceipt,
  },
  lineage: {
    summary: 'show, verify and prove entries of the log',
    load: async () => (await import('./lineage.ts')).registerLineage,
  },
  policy: {
    summary: 'build, test, check, format and evaluate policies',
    load: async () => (await import('./policy.ts')).registerPolicy,
  },
  config: {
    summary: 'check and print settings',
    load: async () => (await import('./config.ts')).registerConfig,
  },
  keys: {
    summary: 'show keys, make an authority',
    load: async () => (await import('./keys.ts')).registerKeys,
  },
  witness: {
    summary: 'run an outside cosigner of logs',
    load: async () => (await import('./witness.ts')).registerWitness,
  },
  trust: {
    summary: 'export the trust file that verifiers need',
    load: async () => (await import('./trust.ts')).registerTrust,
  },
  doctor: {
    summary: 'find out what is wrong with this machine, home or sidecar',
    load: async () => (await import('./doctor.ts')).registerDoctor,
  },
};

const EXIT_CODES = 'Exit codes: 0 yes, 1 no, 2 usage or settings, 3 could not.';

/** The program, with the command that `args` ask for loaded and all others as a line of help. */
export async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('writ')
    .description(
      'Every outbound call of an agent: verified, decided, recorded, then forwarded. Or refused, with proof.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'the same as --help')
    .addHelpText('after', `\n${EXIT_CODES}`)
    .showSuggestionAfterError()
    .showHelpAfterError('`writ --help` lists the commands; the flags of a command stand after its name.')
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) });
  const wanted = args.find((word) => !word.startsWith('-') && word !== 'help');
  for (const [name, row] of Object.entries(commands)) {
    if (name === wanted) (await row.load())(program);
    else program.command(name).summary(row.summary);
    program.commands.at(-1)?.summary(row.summary);
  }
  for (const command of program.commands) inherit(command, program);
  return program;
}

/** Runs a command line and answers its exit code. A command may set `process.exitCode` for a "no". */
export async function run(given: readonly string[]): Promise<number> {
  const args = given[0] === 'help' && given.length > 1 ? [...given.slice(1), '--help'] : given;
  process.stdout.on('error', leaveUnread);
  process.stderr.on('error', () => undefined); // who read it went away: no reason for a sidecar to stop
  try {
    const program = await buildProgram(args);
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.yes);
  } catch (fault) {
    return report(fault);
  }
}

/** Subcommands were made by other files: they get the same manners. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  command.showHelpAfterError(`\`${pathOf(command)} --help\` says what it takes.`);
  for (const inner of command.commands) inherit(inner, command);
}

/** `writ grant issue`, for the command `issue`. */
function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** Prints why a command ended early; answers the exit code. */
function report(fault: unknown): number {
  if (fault instanceof CommanderError) return fault.exitCode === 0 ? EXIT.yes : EXIT.usage;
  const failure = systemFailure(fault) ?? (fault instanceof Error ? fault : new Error(String(fault)));
  const lines = failure.message.split('\n').map(safeText);
  err.line(`${err.paint('bad', 'writ:')} ${lines.join('\n      ')}`);
  if (failure instanceof CommandFailure) {
    if (failure.remedy) err.line(`      ${safeText(failure.remedy)}`);
    return failure.exit;
  }
  if (!('code' in failure))
    err.line(err.paint('dim', 'This is a fault of writ itself.') + `\n${failure.stack ?? ''}`);
  return EXIT.unable;
}

/** `writ … | head`: the reader has enough, and a verdict that was reached stays what it is. Else the answer went nowhere. */
function leaveUnread(fault: NodeJS.ErrnoException): void {
  if (fault.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.yes);
  err.line(`${err.paint('bad', 'writ:')} standard output cannot be written: ${safeText(fault.message)}`);
  process.exit(EXIT.unable);
}
