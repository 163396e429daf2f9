/** Whose a socket of this machine is, if anybody's, as Linux tells in /proc/net/tcp (proc(5)). */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** The ports of one connection as we see it: ours is local, the agent's remote. */
export interface PeerPorts {
  /** Undefined where the agent's end shows another one: it was redirected. */
  readonly localPort: number | undefined;
  readonly remotePort: number;
}

/** Columns of a row: index, local address, remote address, state … the user id is the eighth, the inode the tenth. */
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

/** Local and remote port of a row whose socket a process holds: without one the inode is 0. */
const HELD = /^ *\d+: \w+(:\w{4}) \w+(:\w{4}) \w+ \S+ \S+ \S+ +\d+ +\d+ [1-9]/;

/** Looks once, and answers whether a process holds the agent's end; false also where the system does not say. */
export async function heldPeers(): Promise<(ports: PeerPorts) => boolean> {
  const held = new Set<string>();
  const tables = await Promise.all(TABLES.map((path) => readFile(path, 'latin1').catch(() => '')));
  for (const line of tables.flatMap((text) => text.split('\n'))) {
    const [, theirs = '', ours = ''] = HELD.exec(line) ?? [];
    held.add(theirs).add(theirs + ours);
  }
  return ({ localPort, remotePort }) =>
    held.has(hexPort(remotePort) + (localPort === undefined ? '' : hexPort(localPort)));
}

const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];

/** The rows whose local port is this. */
function rowsOf(local: string): readonly (readonly string[])[] {
  return TABLES.flatMap(readTable)
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
