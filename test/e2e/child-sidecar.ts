/** `writ serve` as a process of its own: started, listened to, signalled and stopped by its id. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { makeHome } from './home.ts';
import type { HomePlan, Teardown, TestHome } from './home.ts';

/** One line of the process's own log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How its process is started. */
export interface Launch {
  /** Flags of Node. */
  readonly nodeArgs?: readonly string[];
  /** Beside PATH, which is ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its group; this process's by default. */
  readonly gid?: number;
}

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

/** A sidecar that runs. */
export class ChildSidecar {
  readonly home: TestHome;
  readonly pid: number;
  readonly lines: LogLine[] = [];
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<(line: LogLine) => void>();
  #urls: Readonly<Record<string, string>> = {};

  private constructor(home: TestHome, { nodeArgs = [], env: more = {}, gid }: Launch) {
    // tap adds a loader to every child's NODE_OPTIONS, and with it handlers of signals that Node ignores (SIGXFSZ).
    const args = [
      '-u',
      'NODE_OPTIONS',
      process.execPath,
      ...nodeArgs,
      BIN,
      'serve',
      '--config',
      home.settingsFile,
    ];
    const env = { ...more, PATH: process.env['PATH'] };
    const child = spawn('env', args, {
      ...{ cwd: home.folder, env, stdio: ['ignore', 'pipe', 'pipe'] },
      ...(gid !== undefined && { gid }),
    });
    if (child.pid === undefined) throw new Error('the sidecar cannot be started');
    this.home = home;
    this.#child = child;
    this.pid = child.pid;
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    createInterface({ input: child.stderr }).on('line', (line) => this.#hear(line));
  }

  /** Starts one on a home, and does not wait for it. It is killed with the test if it still runs then. */
  static launch(t: Teardown, home: TestHome, how: Launch = {}): ChildSidecar {
    const sidecar = new ChildSidecar(home, how);
    t.teardown(() => sidecar.kill());
    return sidecar;
  }

  /** Starts one on a home; resolves once it listens. */
  static async start(t: Teardown, home: TestHome, how: Launch = {}): Promise<ChildSidecar> {
    const sidecar = ChildSidecar.launch(t, home, how);
    await sidecar.listens();
    return sidecar;
  }

  /** Resolves once it listens. */
  async listens(): Promise<void> {
    await this.says('listening');
    this.#urls = JSON.parse(readFileSync(this.home.layout.run, 'utf8')) as Record<string, string>; // what serve wrote
  }

  /** The port of a listener, as `run.json` says. */
  port(listener: 'forward' | 'reverse' | 'transparent' | 'admin'): number {
    return Number(new URL(this.#urls[listener] ?? '').port);
  }

  /** Resolves with the first line of this message from line `from` on; rejects where the process ends before. */
  says(message: string, from = 0): Promise<LogLine> {
    const known = this.lines.slice(from).find(({ msg }) => msg === message);
    if (known) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const hear = (line: LogLine): void => {
        if (line.msg !== message) return;
        this.#waiting.delete(hear);
        resolve(line);
      };
      this.#waiting.add(hear);
      void this.exited.then((exit) => {
        if (this.#waiting.has(hear))
          reject(new Error(`ended (${JSON.stringify(exit)}) before it said "${message}":\n${this.#told()}`));
      });
    });
  }

  /** SIGHUP; resolves with the line that says how it went. */
  reload(): Promise<LogLine> {
    const from = this.lines.length;
    const answers = ['reloaded', 'reload failed; what was faulty stays as it was'];
    const heard = Promise.race(answers.map((message) => this.says(message, from)));
    this.signal('SIGHUP');
    return heard;
  }

  /** Nobody reads what it says from here on: its standard error is a broken pipe. */
  deafen(): void {
    this.#child.stderr?.destroy();
  }

  /** Sends a signal to this process and no other. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** SIGTERM, and how it ended. */
  stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }

  /** SIGKILL, and how it ended. */
  kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  /** Memory of the process in KiB, by its name in `/proc/<pid>/status`: `VmRSS`, `VmHWM`. */
  memory(name: string): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  }

  #hear(text: string): void {
    const line = readLine(text);
    this.lines.push(line);
    for (const hear of [...this.#waiting]) hear(line);
  }

  #told(): string {
    return this.lines.map((line) => JSON.stringify(line)).join('\n');
  }
}

/** A sidecar on a fresh home. */
export async function serve(t: Teardown, plan: HomePlan = {}, how: Launch = {}): Promise<ChildSidecar> {
  return ChildSidecar.start(t, await makeHome(t, plan), how);
}

/** Whether this machine shows what a process does. */
export const hasProc = existsSync('/proc/self/status');

function readLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine; // pino writes objects with a msg
  } catch {
    return { msg: text };
  }
}
