/** Looks at how a connection begins, and leaves every byte on it for whoever reads it next. */
import type { Socket } from 'node:net';
import type { Clock } from '../gate/outside.ts';
import { MAX_HELLO_BYTES, readClientHello } from './client-hello.ts';
import type { HelloReading } from './client-hello.ts';

/** How a connection begins; `silent`: nothing that could be told by its deadline, `closed`: it ended before. */
export type Beginning =
  Exclude<HelloReading, { readonly is: 'partial' }> | { readonly is: 'silent' } | { readonly is: 'closed' };

/** Records around a hello have headers of their own, one of five bytes for each of at least one byte. */
const MAX_BYTES = 2 * MAX_HELLO_BYTES;

/** Reads until the beginning is known. The socket must be paused, and is so again; its bytes stand in it unread. */
export function peek(
  socket: Socket,
  { after, ms }: { readonly after: Clock['after']; readonly ms: number },
): Promise<Beginning> {
  return new Promise((resolve) => {
    let held = Buffer.alloc(0);
    const settle = (beginning: Beginning): void => {
      cancel();
      socket.off('readable', read).off('end', closed).off('close', closed);
      if (held.length > 0 && !socket.destroyed) socket.unshift(held);
      resolve(beginning);
    };
    const read = (): void => {
      for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read())
        held = Buffer.concat([held, chunk]);
      const reading = readClientHello(held);
      if (held.length > 0 && reading.is !== 'partial') settle(reading);
      else if (held.length > MAX_BYTES) settle({ is: 'malformed', why: 'a ClientHello in crumbs' });
    };
    const closed = (): void => settle({ is: 'closed' });
    const cancel = after(ms, () => settle({ is: 'silent' }));
    if (socket.destroyed) return closed();
    socket.on('readable', read).on('end', closed).on('close', closed);
  });
}
