/** Network namespaces of a test's own, in which the kernel may redirect what it likes; nothing leaves this machine. */
import { spawnSync } from 'node:child_process';
import { missing } from './program.ts';

/** One address of its own, from which everything seems to be reachable. */
const NETWORK =
  'ip link set lo up && ip addr add 10.99.0.1/32 dev lo && ip route add default dev lo src 10.99.0.1 && exec "$0" "$@"';

/** A rule of the kind that redirects. */
const PROBE = 'iptables -t nat -A OUTPUT -p tcp -m owner ! --gid-owner 1 -j REDIRECT --to-ports 1';

/** Why connections can be redirected nowhere here, or false. */
export function unableToRedirect(): string | false {
  for (const program of ['unshare', 'ip', 'iptables', 'setpriv'])
    if (missing(program)) return missing(program);
  const [program, ...args] = inOwnNetwork(['sh', '-c', PROBE]);
  const { status } = spawnSync(program, args, { stdio: 'ignore' });
  return status === 0 ? false : 'this user may make no network namespace with iptables';
}

/** The command that runs another one inside a new namespace. */
export function inOwnNetwork(command: readonly string[]): readonly [program: string, ...args: string[]] {
  return ['unshare', '-n', 'sh', '-c', NETWORK, ...command];
}
