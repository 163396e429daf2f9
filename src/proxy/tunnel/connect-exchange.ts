/** The agent's end of a CONNECT: a reply of ours, or a connection that is a tunnel from then on. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Credential } from '../../call/call.ts';
import type { Ended, Exchange, Passage, TunnelMouth } from '../../gate/outside.ts';
import { Http1Exchange } from '../agent/http1-exchange.ts';
import type { AgentWait } from '../agent/http1-exchange.ts';
import type { Interceptor, Opened, Serving } from './intercept.ts';
import { failureReply } from '../reply.ts';
import type { Reply } from '../reply.ts';
import { Splice } from './splice.ts';
import type { SpliceSettings } from './splice.ts';
import { failureOf } from '../upstream/failure.ts';

/** What tunnels need beside their connection. */
export interface TunnelParts {
  readonly interceptor: Interceptor;
  readonly splicing: SpliceSettings;
}

/** What a CONNECT's end is made of. */
export interface ConnectParts extends TunnelParts, AgentWait {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly serving: Serving;
}

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';

/** Once its 200 is sent, nothing that is meant for the agent as HTTP is written any more. */
export class ConnectExchange extends Http1Exchange implements TunnelMouth {
  readonly #parts: ConnectParts;
  readonly #socket: Socket;
  #established = false;
  #onOpen: (() => void) | undefined;

  constructor(parts: ConnectParts) {
    super(parts.request, parts.response, parts);
    this.#parts = parts;
    this.#socket = parts.request.socket;
  }

  override get begun(): boolean {
    return this.#established || super.begun;
  }

  /** Calls back once it is a tunnel whose calls will be inside. One listener. */
  onOpen(listener: () => void): void {
    this.#onOpen = listener;
  }

  async open(to: { host: string; port: number; credential: Credential | undefined }): Promise<Opened> {
    const { interceptor, serving, request } = this.#parts;
    this.#establish();
    this.#onOpen?.();
    try {
      return await interceptor.open(this.#socket, { ...to, client: request.headers['user-agent'] }, serving);
    } catch (cause) {
      this.drop(); // no denial can be told in here any more
      throw cause;
    }
  }

  splice(passage: Passage<Exchange>): Promise<Ended> {
    const { call, permit } = passage;
    const end = {
      socket: this.#socket,
      onGone: (listener: () => void) => this.onGone(listener),
      establish: () => this.#establish(),
      fail: (cause: Error) => this.answer(failureReply(failureOf(cause), { id: call.id, permit })),
    };
    return new Splice(passage, end, this.#parts.splicing).run();
  }

  override answer(reply: Reply): void {
    if (!this.#established) super.answer(reply);
  }

  #establish(): void {
    this.#established = true;
    this.#socket.write(ESTABLISHED);
  }
}
