/** Looks at how a connection begins, and leaves every byte on it for whoever reads it next. */
import type { Socket } from 'node:net';
import type { Clock } from '../../gate/outside.ts';
import { MAX_HELLO_BYTES } from '../tunnel/client-hello.ts';

/** How a connection begins, where its bytes do not say; `silent`: too few by its deadline, `closed`: it ended before. */
export type Untold =
  { readonly is: 'silent' } | { readonly is: 'closed' } | { readonly is: 'malformed'; readonly why: string };

/** How long is looked, and for what. */
export interface Looking<R> {
  readonly after: Clock['after'];
  readonly ms: number;
  /** What the first bytes are; undefined where they are too few to tell. */
  read(bytes: Uint8Array): R | undefined;
}

/** Records around a hello have headers of their own, one of five bytes for each of at least one byte. */
const MAX_BYTES = 2 * MAX_HELLO_BYTES;

/** Reads until the beginning is known. The socket must not flow, and does not after; its bytes stand in it unread. */
export function peek<R>(socket: Socket, { after, ms, read: tell }: Looking<R>): Promise<R | Untold> {
  return new Promise((resolve) => {
    let held: Buffer = Buffer.alloc(0);
    const settle = (beginning: R | Untold): void => {
      cancel();
      socket.off('readable', read).off('end', closed).off('close', closed);
      if (held.length > 0 && !socket.destroyed) socket.unshift(held);
      resolve(beginning);
    };
    const read = (): void => {
      for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read())
        held = held.length > 0 ? Buffer.concat([held, chunk]) : chunk;
      const reading = held.length > 0 ? tell(held) : undefined;
      if (reading) settle(reading);
      else if (held.length > MAX_BYTES) settle({ is: 'malformed', why: 'a ClientHello in crumbs' });
    };
    const closed = (): void => settle({ is: 'closed' });
    const cancel = after(ms, () => settle({ is: 'silent' }));
    if (socket.destroyed) return closed();
    socket.on('readable', read).on('end', closed).on('close', closed);
  });
}
