/** Which user is at the other end of a loopback connection, as Linux tells in /proc/net/tcp (proc(5)). */
import { readFileSync } from 'node:fs';

/** The ports of one connection as we see it: ours is local, the agent's remote. */
export interface PeerPorts {
  readonly localPort: number;
  readonly remotePort: number;
}

/** Columns of a row: index, local address, remote address … the user id is the eighth. */
const LOCAL = 1;
const REMOTE = 2;
const UID = 7;

/** The uid that owns the agent's end; undefined where it is not on this machine or the system does not say. */
export function peerUid({ localPort, remotePort }: PeerPorts): number | undefined {
  const theirs = hexPort(remotePort);
  const ours = hexPort(localPort);
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readTable(table)) {
      if (!line.includes(theirs)) continue;
      const columns = line.trim().split(/\s+/);
      if (columns[LOCAL]?.endsWith(theirs) && columns[REMOTE]?.endsWith(ours)) return Number(columns[UID]);
    }
  }
  return undefined;
}

/** `:0C38` */
function hexPort(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

function readTable(path: string): readonly string[] {
  try {
    return readFileSync(path, 'latin1').split('\n');
  } catch {
    return []; // not Linux, or hidden from us
  }
}
