/** Wiring only: the command line decides what runs. */
import { run } from './cli/program.ts';

/** Runs one command line; answers its exit code. */
export function main(args: readonly string[]): Promise<number> {
  return run(args);
}
