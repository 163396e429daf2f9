/** WebSockets at a site: every message comes back. */
import type { IncomingMessage } from 'node:http';
import { WebSocketServer } from 'ws';
import type { Site } from './site.ts';

/** Opens every WebSocket that is asked for; the paths of those that reached the site. */
export function openChat(site: Site): readonly (string | undefined)[] {
  const reached: (string | undefined)[] = [];
  const server = new WebSocketServer({ noServer: true });
  site.server.on('upgrade', (request: IncomingMessage, socket, head) => {
    reached.push(request.url);
    server.handleUpgrade(request, socket, head, (peer) => {
      peer.on('message', (data, binary) => peer.send(data, { binary }));
    });
  });
  return reached;
}
