/** Which user a socket of this machine belongs to, as Linux tells in /proc/net/tcp (proc(5)). */
import { readFileSync } from 'node:fs';

/** The ports of one connection as we see it: ours is local, the agent's remote. */
export interface PeerPorts {
  /** Undefined where the agent's end shows another one: it was redirected. */
  readonly localPort: number | undefined;
  readonly remotePort: number;
}

/** Columns of a row: index, local address, remote address, state … the user id is the eighth. */
const LOCAL = 1;
const REMOTE = 2;
const STATE = 3;
const UID = 7;
const ESTABLISHED = '01';
const LISTENING = '0A';

/** The uid that owns the agent's end; undefined where it is not on this machine or the system does not say which. */
export function peerUid({ localPort, remotePort }: PeerPorts): number | undefined {
  const rows = rowsOf(hexPort(remotePort));
  const found = rows.filter((columns) =>
    localPort === undefined ? columns[STATE] === ESTABLISHED : columns[REMOTE]?.endsWith(hexPort(localPort)),
  );
  const [uid, ...others] = new Set(found.map((columns) => Number(columns[UID])));
  return others.length === 0 ? uid : undefined;
}

/** The uids that listen on a port of this machine, on whatever address; none where the system does not say. */
export function listenerUids(port: number): readonly number[] {
  return rowsOf(hexPort(port))
    .filter((columns) => columns[STATE] === LISTENING)
    .map((columns) => Number(columns[UID]));
}

/** The rows whose local port is this. */
function rowsOf(local: string): readonly (readonly string[])[] {
  return ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap(readTable)
    .filter((line) => line.includes(local))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[LOCAL]?.endsWith(local));
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
