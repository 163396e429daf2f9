/** Programs that others wrote and that check our output. Where one is not installed, its test is skipped and says so. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

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

const GO_PROGRAM = fileURLToPath(new URL('go', import.meta.url));

/** Builds the Go program of this folder; undefined, and said as skipped, where its modules cannot be had. */
export function buildGo(t: Test, folder: string): string | undefined {
  const binary = join(folder, 'third-party');
  const built = runTool('go', ['build', '-o', binary, '.'], { cwd: GO_PROGRAM });
  if (built.ok) return binary;
  t.pass('built', { skip: `the Go program cannot be built here: ${built.out}` });
  return undefined;
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
