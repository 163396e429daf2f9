/** The processes of the bench. Nothing is pinned: Writ's threads may use what cores the load leaves them. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { IMAGE_ENVIRONMENT } from '../image-flags.ts';

/** A started process that said its port. */
export interface Started {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a Node program and reads `{"port":…}` from its first line. */
export async function start(args: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...IMAGE_ENVIRONMENT },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { port } = JSON.parse(line) as { port: number };
  return { port, pid: child.pid ?? 0, stop: () => end(child) };
}

/** Resident bytes of a process (Linux), in MiB. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null) await once(child, 'exit');
}
