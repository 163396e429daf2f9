/** What a process asked of its kernel, as strace saw it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** One system call. strace sees one stop at a time, so lines stand in an order that can have been the real one. */
export interface SystemCall {
  readonly name: string;
  /** Line where it was entered, and line where it had returned. */
  readonly entered: number;
  readonly returned: number;
  /** Its first argument: `20</path>` or `23<TCP:[127.0.0.1:1->127.0.0.1:2]>`. */
  readonly on: string;
  /** The bytes in its arguments, all of them. */
  readonly bytes: Buffer;
  /** Its arguments after the first, as text. */
  readonly rest: string;
  readonly result: number;
}

/** Everything that can put bytes on a disk or a wire, or wait for a disk. */
const WATCHED =
  'write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,splice,fdatasync,fsync,connect';
/** Everything that changes a file system, or opens a file. */
const CHANGING =
  'openat,write,writev,pwrite64,fdatasync,fsync,rename,renameat,renameat2,ftruncate,truncate,unlink,unlinkat,mkdir,mkdirat';
const ALL_BYTES = '16777216';

/** A program, to be run with all its threads watched for what they do to files; `file` takes the trace. */
export function traced(file: string, program: readonly string[]): readonly string[] {
  const watched = ['-f', '-qq', '-y', '-s', ALL_BYTES, '-o', file, '-e', `trace=${CHANGING},symlink`];
  return [...watched, 'env', '-u', 'NODE_OPTIONS', ...program];
}

/** A process that is being watched. */
export interface Watch {
  /** Resolves once the process has ended and all of it is written down. */
  readonly over: Promise<unknown>;
}

/** Watches a process and all its threads from now on; undefined, where this machine does not let us. */
export async function watch(pid: number, file: string): Promise<Watch | undefined> {
  return attach(['-f', '-yy', '-s', ALL_BYTES, '-o', file, '-e', `trace=${WATCHED}`, '-p', String(pid)]);
}

/** Watches one thread and what it does to files. `more` are further arguments, such as what to inject. */
export async function watchThread(
  thread: number,
  file: string,
  more: readonly string[] = [],
): Promise<Watch | undefined> {
  const watched = ['-y', '-s', ALL_BYTES, '-o', file, '-e', `trace=${CHANGING}`];
  return attach([...watched, ...more, '-p', String(thread)]);
}

async function attach(args: readonly string[]): Promise<Watch | undefined> {
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const over = once(child, 'exit').catch(() => undefined); // not on PATH
  for await (const line of createInterface({ input: child.stderr })) {
    if (/^strace: Process \d+ attached/.test(line)) return { over };
  }
  return undefined;
}

/** Reads what `watch` wrote. Calls that never returned are left out. */
export function readTrace(text: string): readonly SystemCall[] {
  const open = new Map<string, { readonly entered: number; readonly text: string }>();
  return text.split('\n').flatMap((line, at) => {
    const [, thread = '', what = ''] = /^(?:(\d+) +)?(.*)$/.exec(line) ?? []; // one thread alone is not named
    const begun = / <unfinished \.\.\.>$/.exec(what);
    if (begun) {
      open.set(thread, { entered: at, text: what.slice(0, begun.index) });
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(what);
    const before = resumed ? open.get(thread) : { entered: at, text: '' };
    const found = before && readCall(before.text + what.slice(resumed?.[0].length ?? 0));
    return found ? [{ ...found, entered: before.entered, returned: at }] : [];
  });
}

/** Whether what was to go wrong did: a program that asks for less, or in another order, never comes to it. */
export function wentWrong(text: string): boolean {
  return /(?: \(INJECTED\)|^(?:\d+ +)?\+\+\+ killed by SIGKILL \+\+\+)$/m.test(text);
}

function readCall(text: string): Omit<SystemCall, 'entered' | 'returned'> | undefined {
  const [, name, on = '', rest = '', result] =
    /^(\w+)\((\d+<(?:\/[^>]*|\w+:\[[^\]]*\])>)?(.*)\) += (-?\d+)/.exec(text) ?? [];
  if (name === undefined) return undefined;
  const strings = [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, escaped = '']) => unescape(escaped));
  return { name, on, rest, bytes: Buffer.from(strings.join(''), 'latin1'), result: Number(result) };
}

const NAMED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', v: '\v', f: '\f' };

/** C escapes to octets (latin1). */
function unescape(text: string): string {
  return text.replace(/\\(?:([0-7]{1,3})|(.))/g, (_, octal?: string, letter = '') =>
    octal === undefined
      ? (NAMED[letter as string] ?? (letter as string))
      : String.fromCharCode(parseInt(octal, 8)),
  );
}
