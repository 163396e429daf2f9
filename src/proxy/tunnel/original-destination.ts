/**
 * Where a redirected connection was to go. Evidence, and the port of its upstream; the host is what TLS or `Host` name.
 * Linux tells by SO_ORIGINAL_DST, which Node cannot ask for; its table of connections (nf_conntrack) says the same to
 * those who may read it.
 */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { parseAddress, spellAddress } from '../address/address.ts';

/** One end of a connection, its address in canonical spelling. */
export interface End {
  readonly address: string;
  readonly port: number;
}

/** `address:port`, IPv6 in brackets; `unknown` where there is none. */
export function endText(end: End | undefined): string {
  if (!end) return 'unknown';
  return end.address.includes(':') ? `[${end.address}]:${end.port}` : `${end.address}:${end.port}`;
}

const TABLE = '/proc/net/nf_conntrack';

/** Finds out where connections were to go. Those that ask while the table is being read share the next reading. */
export class OriginalDestinations {
  readonly #read: () => Promise<string>;
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<string> | undefined;

  /** `read`: the table as text, empty where it cannot be had; the system's by default. Must not reject. */
  constructor(read: () => Promise<string> = readTable) {
    this.#read = read;
  }

  /**
   * The destination of a connection that was accepted on this port; undefined where nobody tells, or where it was not
   * redirected at all. A local end on another port is the destination itself (TPROXY).
   */
  async of(socket: Socket, listening: number): Promise<End | undefined> {
    const ours = endOf(socket.localAddress, socket.localPort);
    const theirs = endOf(socket.remoteAddress, socket.remotePort);
    if (!ours || !theirs) return undefined;
    if (ours.port !== listening) return ours;
    const original = findOriginal(await this.#table(), theirs, ours);
    return original && same(original, ours) ? undefined : original;
  }

  #table(): Promise<string> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      const reading = this.#read();
      this.#last = reading;
      return reading;
    });
    return this.#next;
  }
}

/** The row of a connection: what the agent sent to, and then what answers it. */
function findOriginal(table: string, theirs: End, ours: End): End | undefined {
  for (const row of table.split('\n')) {
    if (!row.includes(`sport=${theirs.port} `) || !row.includes(' tcp ')) continue;
    const [from, to] = directionsOf(row);
    if (from && to && same(from.source, theirs) && same(to.source, ours)) return from.target;
  }
  return undefined;
}

interface Direction {
  readonly source: End;
  readonly target: End;
}

const DIRECTION = /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g;

function directionsOf(row: string): readonly Direction[] {
  return [...row.matchAll(DIRECTION)].flatMap(([, from, to, sport, dport]) => {
    const source = endOf(from, Number(sport));
    const target = endOf(to, Number(dport));
    return source && target ? [{ source, target }] : [];
  });
}

/** The kernel writes IPv6 in full; a socket of both families shows IPv4 inside IPv6. */
function endOf(text = '', port: number | undefined): End | undefined {
  const parsed = parseAddress(text.replace(/^::ffff:(?=[0-9]+\.)/, ''));
  return parsed && port !== undefined ? { address: spellAddress(parsed), port } : undefined;
}

function same(one: End, other: End): boolean {
  return one.address === other.address && one.port === other.port;
}

/** Not Linux, not loaded, or not for us: then nothing is known. */
function readTable(): Promise<string> {
  return readFile(TABLE, 'latin1').catch(() => '');
}
