/** An HTTP server of ours that is not a proxy: begins to listen, and ends. */
import type { Server } from 'node:http';

/** Resolves once it listens; rejects with the system's error (`EADDRINUSE`, `EACCES` …). Port 0 takes a free one. */
export function listening(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Ends it with whatever still runs on it; resolves when its port is free. */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
