/** Runs real clients: curl, python3 and whatever else a machine has. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How a program ended. */
export interface Ended {
  /** -1 where it did not end by itself. */
  readonly exit: number;
  /** Octets as latin1. */
  readonly stdout: string;
  readonly stderr: string;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a program to its end, whatever its exit code, in an environment without proxies; `input` is its standard input. */
export function run(program: string, args: readonly string[], input = ''): Promise<Ended> {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
  return new Promise((resolve) => {
    const options = { env, encoding: 'latin1', maxBuffer: MAX_OUTPUT_BYTES } as const;
    const child = execFile(program, [...args], options, (fault, stdout, stderr) => {
      const exit = fault ? (typeof fault.code === 'number' ? fault.code : -1) : 0;
      resolve({ exit, stdout, stderr });
    });
    child.stdin?.on('error', () => undefined).end(input, 'latin1');
  });
}

/** False, or the words that skip a test where a program is not on PATH. */
export function missing(program: string): string | false {
  const found = (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ? false : `there is no ${program} on this machine`;
}
