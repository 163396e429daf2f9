/** The processes of the bench: the proxies under test on one core, the load and its origin on the other. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A started process that said its port. */
export interface Started {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Core of the proxies; the load generator and the origin share the other one. */
export const PROXY_CORE = 1;
export const LOAD_CORE = 0;

const taskset = existsSync('/usr/bin/taskset');

/** Starts a Node program on one core and reads `{"port":…}` from its first line. */
export async function start(core: number, args: readonly string[]): Promise<Started> {
  const command = [...(taskset ? ['taskset', '-c', String(core)] : []), process.execPath, ...args];
  const [program = '', ...rest] = command;
  const child = spawn(program, rest, {
    env: { ...process.env, MALLOC_ARENA_MAX: '2' },
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
