/** Who may look into the sidecar's process and read its keys there: ptrace(2), proc(5), capabilities(7). Linux only. */
import { readFileSync, statSync } from 'node:fs';
import type { AdminAnswer } from '../admin-call.ts';
import type { Running } from '../running.ts';
import { good, warn } from './finding.ts';
import type { Finding } from './finding.ts';

/** What the system tells of a process. */
export interface Traceable {
  readonly uid: number;
  /** Whose its files in `/proc` are: not its user's where it is not dumpable. */
  readonly owner: number;
  /** In force, as a bit set. */
  readonly capabilities: bigint;
  /** `kernel.yama.ptrace_scope`: 0 is no rule, as without Yama; 1, parents; 2, CAP_SYS_PTRACE; 3, nobody until a reboot. */
  readonly scope: number;
}

const NAME = 'tracing';
const ROOT = 0;
const CAP_SYS_PTRACE = 1n << 19n;
const [PARENTS, ADMINS, NOBODY] = [1, 2, 3];
const NEXT =
  'docs/deploy.md says how the image shuts it: a uid of its own, no capabilities, a `node` of mode 0711.';

/** Of the sidecar that runs, by what it answered about its status; else of one that this user would start with this Node. */
export async function tracingFinding(
  running: Running | undefined,
  asked: Promise<AdminAnswer | undefined>,
): Promise<Finding> {
  const status = await asked.catch(() => undefined);
  if (status?.body['keys_exposed'] === true)
    return warn(
      NAME,
      'an agent called under the sidecar’s own uid, or as root: it can read the keys, and this process',
      'Run the agent under another uid; until then its receipts say `keys: exposed`.',
    );
  return judgeTracing(readTraceable(running && status ? running.pid : 'self'));
}

/** What a process with these properties is open to. */
export function judgeTracing(found: Traceable | undefined): Finding {
  if (!found) return good(NAME, 'this system does not say who may trace a process');
  const { uid, owner, capabilities, scope } = found;
  const yama = `kernel.yama.ptrace_scope is ${scope}`;
  if (scope >= NOBODY) return good(NAME, `nobody, not even root (${yama})`);
  if (uid === ROOT) return warn(NAME, 'runs as root: whoever is root here can read its memory', NEXT);
  if ((capabilities & CAP_SYS_PTRACE) !== 0n)
    return warn(NAME, 'holds CAP_SYS_PTRACE, as may whoever is in its container', NEXT);
  if (owner !== uid) return good(NAME, 'nobody without CAP_SYS_PTRACE');
  if (scope === ADMINS) return good(NAME, `nobody without CAP_SYS_PTRACE (${yama})`);
  if (scope === PARENTS) return good(NAME, `only its parents, and who holds CAP_SYS_PTRACE (${yama})`);
  return warn(NAME, `any process of uid ${uid} can read its memory`, NEXT);
}

/** What Linux tells of a process; undefined where it does not. */
export function readTraceable(pid: number | 'self'): Traceable | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]);
    const capabilities = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
    return { uid, owner: statSync(`/proc/${pid}/environ`).uid, capabilities, scope: readScope() };
  } catch {
    return undefined;
  }
}

function readScope(): number {
  try {
    return Number(readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'latin1'));
  } catch {
    return 0;
  }
}
