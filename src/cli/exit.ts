/** How a command ends: four exit codes, the same everywhere. */

/** 0 yes · 1 no (a verdict: does not verify, is not ready, a test failed) · 2 usage or settings · 3 could not. */
export const EXIT = { yes: 0, no: 1, usage: 2, unable: 3 } as const;

/** An exit code of the table. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * Thrown by a command that cannot go on; `run` prints it on stderr and exits with its code. The message may hold
 * untrusted text (it is escaped when printed); the remedy is our own sentence.
 */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exit: ExitCode;
  readonly remedy: string | undefined;

  constructor(exit: ExitCode, message: string, remedy?: string) {
    super(message);
    this.exit = exit;
    this.remedy = remedy;
  }
}

/** A command line or setting that cannot be used: exit 2. */
export const usageFailure = (message: string, remedy?: string): CommandFailure =>
  new CommandFailure(EXIT.usage, message, remedy);

/** Something outside failed (a file, a port, a connection): exit 3. */
export const unable = (message: string, remedy?: string): CommandFailure =>
  new CommandFailure(EXIT.unable, message, remedy);
