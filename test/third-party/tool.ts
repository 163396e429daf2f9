/** Programs that others wrote and that check our output. Where one is not installed, its test is skipped and says so. */
import { spawnSync } from 'node:child_process';

/** What a program said. */
export interface ToolRun {
  readonly ok: boolean;
  readonly out: string;
}

/** A reason to skip, or false where the program runs. */
export function unlessInstalled(program: string, ...args: readonly string[]): string | false {
  const { status, error } = spawnSync(program, args, { stdio: 'ignore' });
  return error || status !== 0 ? `${program} is not installed` : false;
}

/** Runs a program to its end. */
export function runTool(
  program: string,
  args: readonly string[],
  given: {
    readonly input?: Uint8Array | string;
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
  } = {},
): ToolRun {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', ...given });
  return { ok: status === 0, out: `${stdout}${stderr}` };
}
