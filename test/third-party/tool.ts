/** Programs that others wrote and that check our output. Where one is not installed, its test is skipped and says so. */
import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';

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

/** The same while this process goes on, and can answer it. */
export async function runToolBeside(program: string, input: string): Promise<ToolRun> {
  const child = spawn(program, [], { stdio: 'pipe' });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(input);
  const out = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { ok: (await ended) === 0, out: out.join('') };
}
