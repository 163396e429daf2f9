/**
 * node:http makes objects of every request in what it has read, 64 KiB at a time, also when the connection was destroyed
 * at the first: a thousand connections full of tiny requests take gigabytes, and all of the process's time, for nothing.
 */
import type { Duplex } from 'node:stream';

/** What node:http's parser answers for what follows an upgrade: nothing behind this head is its own (llhttp). */
const NOT_HTTP = 2;

/**
 * Has node:http read nothing more on this connection, which is to be destroyed. Its parser is not documented: where it is
 * not what we know, all is as it was.
 */
export function stopParsing(connection: Duplex): void {
  const { parser } = connection as { parser?: { onIncoming?: unknown } | null }; // node:http puts it there
  if (parser?.onIncoming) parser.onIncoming = () => NOT_HTTP;
}
