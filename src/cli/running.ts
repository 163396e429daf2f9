/** The sidecar that runs in a home, as `run.json` says. Light: a probe runs this every few seconds. */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';

/** Where it can be asked. */
export interface Running {
  /** `http://127.0.0.1:15020`. */
  readonly admin: string;
  readonly pid: number;
}

/** A reply of the admin listener. */
export interface AdminReply {
  readonly status: number;
  readonly text: string;
}

const PATIENCE_MS = 2000;
const MAX_REPLY = 65_536;

/** What `run.json` in this home says; undefined where there is none or it makes no sense. It may be stale. */
export function readRunning(home: string): Running | undefined {
  try {
    const { admin, pid } = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as Partial<Running>; // checked below
    const sound = typeof admin === 'string' && URL.canParse(admin) && typeof pid === 'number' && pid > 0;
    return sound ? { admin, pid } : undefined;
  } catch {
    return undefined;
  }
}

/** GETs a public path. Undefined where nobody answers in time. */
export function askPublic(admin: string, path: string): Promise<AdminReply | undefined> {
  return new Promise((resolve) => {
    const request = get(
      new URL(path, reachable(admin)),
      { agent: false, timeout: PATIENCE_MS },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text = (text + part).slice(0, MAX_REPLY)));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', () => resolve(undefined));
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.on('close', () => resolve(undefined));
  });
}

/** A wildcard address is asked on loopback. */
function reachable(admin: string): string {
  return admin.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
