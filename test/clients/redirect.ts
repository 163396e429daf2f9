/**
 * Importing this moves a test into a network namespace of its own, where this machine lets it: there the kernel takes
 * connections to an origin to the transparent port, and clients know nothing of it.
 */
import { execFileSync } from 'node:child_process';
import type { Launch } from '../e2e/child-sidecar.ts';
import { inOwnNetwork, unableToRedirect } from '../e2e/own-network.ts';

const MOVED = 'TEST_NETWORK';

/** Why nobody's connections can be redirected here, or false. */
export const unredirected: string | false = MOVED in process.env ? false : unableToRedirect();

/** The sidecar's group: by it the kernel tells its connections from its clients'. */
const GROUP = 61_337;

/** How a sidecar is started whose own connections go where they are meant to. */
export const exempt: Launch = unredirected ? {} : { gid: GROUP };

/** From now on whoever connects to a port, but for sidecars, comes to another one. */
export function redirect(port: number, to: number): void {
  if (unredirected) return;
  const match = ['-p', 'tcp', '--dport', String(port), '-m', 'owner', '!', '--gid-owner', String(GROUP)];
  const target = ['-j', 'REDIRECT', '--to-ports', String(to)];
  execFileSync('iptables', ['-t', 'nat', '-A', 'OUTPUT', ...match, ...target]);
}

if (!unredirected && !(MOVED in process.env)) {
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...process.env, [MOVED]: 'its own' };
  process.execve?.('/usr/bin/env', ['env', ...inOwnNetwork(again)], env);
}
