/**
 * Who may stay connected to the admin listener. The agent shares loopback with it: whoever is silent, or does not take what
 * it asked for, makes room for who comes, so that probes and the operator are always heard.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { stopParsing } from '../config/stop-parsing.ts';

/** So many may be closing while others come in their place. */
const CLOSING = 16;

/** All connections of one server. */
export class Visitors {
  readonly #most: number;
  /** Without a request, who has waited longest first. */
  readonly #idle = new Set<Socket>();
  readonly #asking = new Map<Socket, ServerResponse>();

  constructor(server: Server, most: number) {
    this.#most = most;
    server.maxConnections = most + CLOSING;
    server.on('connection', (socket) => this.#enter(socket));
  }

  /** Whether a request is to be answered. Who does not wait for its last answer is shown out: nobody honest pipelines. */
  admit(socket: Socket, response: ServerResponse): boolean {
    if (!this.#idle.delete(socket)) {
      stopParsing(socket);
      socket.destroy();
      return false;
    }
    this.#asking.set(socket, response);
    response.once('close', () => {
      if (this.#asking.delete(socket) && !socket.destroyed) this.#idle.add(socket);
    });
    return true;
  }

  #enter(socket: Socket): void {
    if (this.#idle.size + this.#asking.size >= this.#most) this.#leave(this.#longest() ?? socket);
    if (socket.destroyed) return;
    this.#idle.add(socket);
    socket.once('close', () => this.#leave(socket));
  }

  /** Who waits for something to ask, else who was answered and does not read it. */
  #longest(): Socket | undefined {
    const [idle] = this.#idle;
    return idle ?? [...this.#asking].find(([, { writableEnded }]) => writableEnded)?.[0];
  }

  #leave(socket: Socket): void {
    this.#idle.delete(socket);
    this.#asking.delete(socket);
    socket.destroy();
  }
}
