/**
 * Opens the TLS that an agent believes to speak with an upstream (threats.md §1–2): the name in its ClientHello must be
 * the one that its connection stands for, and what comes out is served request by request.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Credential } from '../../call/call.ts';
import { placeOf } from '../../call/host.ts';
import { deny, pass } from '../../denial/outcome.ts';
import type { Outcome } from '../../denial/outcome.ts';
import type { Clock } from '../../gate/outside.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { readClientHello } from './client-hello.ts';
import { BUFFERED_BYTES } from '../agent/connection-context.ts';
import type { ConnectionContext } from '../agent/connection-context.ts';
import { prefaceIn } from '../agent/http-opening.ts';
import type { Shed } from '../agent/load-shedding.ts';
import { peek } from '../agent/peek.ts';
import { isAddress, nameFault } from './server-name.ts';
import { handshakeFault, refuseName } from './tls-fault.ts';
import type { HandshakeFault } from './tls-fault.ts';

/** What speaks HTTP on a connection that was opened. */
export interface Serving {
  /** Whether the connection was closed to make room for another. */
  isShed(): boolean;
  http1(socket: Duplex, context: ConnectionContext): void;
  http2(socket: Socket, context: ConnectionContext): void;
}

/** What an interceptor is made of. */
export interface InterceptorParts {
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  /** From the connection's opening to the end of the handshake, in milliseconds. */
  readonly handshakeMs: number;
  /** Connections whose TLS is not open yet; one more closes the one that has waited longest. */
  readonly maxHandshakes: number;
  /** Hears of one that was closed for it. */
  onShed?(what: Shed): void;
  /** Whether a tunnel may carry HTTP in the clear. Asked anew for each. */
  plainAllowed(): boolean;
  /** Hears of agents that do not take our certificate, or could not agree on TLS. */
  onFault(fault: HandshakeFault & Pick<Named, 'host' | 'client'>): void;
}

/** Where a CONNECT is to lead. */
export interface Wanted {
  readonly host: string;
  readonly port: number;
  readonly credential?: Credential | undefined;
  /** `User-Agent` of the CONNECT: the agent's own words. */
  readonly client?: string | undefined;
}

/** TLS whose ClientHello was read, and names this host. */
export interface Named {
  readonly host: string;
  /** What the requests that come out of it stand for. */
  readonly context: ConnectionContext;
  /** What the client calls itself, where it said so. */
  readonly client?: string | undefined;
}

/** `open`: requests will come. `left`: the agent went away, or could not agree on TLS; there is nothing to record. */
export type Opened = Outcome<'open' | 'left'>;

/** Opens connections. */
export class Interceptor {
  readonly #parts: InterceptorParts;
  readonly #opening = new Set<Socket>();

  constructor(parts: InterceptorParts) {
    this.#parts = parts;
  }

  /** Looks at how the connection begins, opens it and has it served. On a refusal the connection is closed. */
  open(socket: Socket, wanted: Wanted, serving: Serving): Promise<Opened> {
    return this.#within(socket, () => this.#enter(socket, wanted, serving));
  }

  /** Opens TLS as this host and has it served. The ClientHello stands in the socket unread; on a refusal it is closed. */
  openTls(socket: Socket, named: Named, serving: Serving): Promise<Opened> {
    return this.#within(socket, () => this.#openTls(socket, named, serving));
  }

  /** From a connection's beginning to its TLS: in time, and not too many at a time. */
  async #within(socket: Socket, work: () => Promise<Opened>): Promise<Opened> {
    const { clock, handshakeMs, maxHandshakes, onShed } = this.#parts;
    const [longest] = this.#opening;
    if (longest && this.#opening.size >= maxHandshakes) {
      this.#giveUp(longest);
      onShed?.('handshake');
    }
    this.#opening.add(socket);
    const cancel = clock.after(handshakeMs, () => this.#giveUp(socket));
    try {
      return await work();
    } finally {
      cancel();
      this.#opening.delete(socket);
    }
  }

  /** It was we who closed it: that says nothing of the agent. */
  #giveUp(socket: Socket): void {
    this.#opening.delete(socket);
    socket.destroy();
  }

  async #enter(socket: Socket, wanted: Wanted, serving: Serving): Promise<Opened> {
    const { clock, handshakeMs, plainAllowed } = this.#parts;
    socket.on('error', () => socket.destroy());
    const beginning = await peek(socket, { after: clock.after, ms: handshakeMs, read: readClientHello });
    switch (beginning.is) {
      case 'hello': {
        const { host, client } = wanted;
        const fault = nameFault(host, beginning.hello);
        if (!fault)
          return this.#openTls(socket, { host, client, context: contextOf('https', wanted) }, serving);
        refuseName(socket);
        return fault;
      }
      case 'not-tls': {
        if (plainAllowed()) return this.#openPlain(socket, wanted, serving);
        socket.destroy();
        return deny('tunnel_not_tls', 'the first bytes are no TLS record');
      }
      case 'malformed':
        socket.destroy();
        return deny('tunnel_not_tls', beginning.why);
      case 'silent':
      case 'closed':
        socket.destroy();
        return pass('left');
    }
  }

  /** HTTP/2 with prior knowledge, or HTTP/1: what is neither, the parser of the latter refuses. */
  async #openPlain(socket: Socket, wanted: Wanted, serving: Serving): Promise<Opened> {
    const { clock, handshakeMs } = this.#parts;
    const { is } = await peek(socket, { after: clock.after, ms: handshakeMs, read: prefaceIn });
    const context = contextOf('http', wanted);
    if (is === 'http2') serving.http2(socket, context);
    else if (is === 'other') serving.http1(socket, context);
    else socket.destroy();
    return pass(is === 'http2' || is === 'other' ? 'open' : 'left');
  }

  async #openTls(socket: Socket, named: Named, serving: Serving): Promise<Opened> {
    const { host, context } = named;
    const tls = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#parts.authority.contextFor(host),
      ALPNProtocols: ['h2', 'http/1.1'],
      ...{ highWaterMark: BUFFERED_BYTES }, // as of net.Socket, which it is
    });
    if (!(await this.#handshake(tls, socket, { named, serving }))) return pass('left');
    const shown = tls.servername ? tls.servername.toLowerCase() : undefined; // false where the client named none; DNS knows no case
    if (shown !== (isAddress(host) ? undefined : host)) {
      tls.destroy(); // OpenSSL read another name than we did
      return deny('tunnel_name_mismatch', `${host}, but TLS says ${shown}`);
    }
    Object.assign(tls, { secureConnecting: false }); // as `tls.Server` does once it is secure; node:http2 waits for it
    tls.once('close', () => {
      if (!serving.isShed()) this.#closed(tls, named);
    });
    if (tls.alpnProtocol === 'h2') serving.http2(tls, context);
    else serving.http1(tls, context);
    return pass('open');
  }

  /** Whether it came to its end; the socket is destroyed where not. Its errors never go unheard. */
  #handshake(tls: TLSSocket, raw: Socket, { named, serving }: Handshake): Promise<boolean> {
    const { host, client } = named;
    const isOurs = (): boolean => !this.#opening.has(raw) || serving.isShed();
    return new Promise((resolve) => {
      let over = false;
      const settle = (done: boolean, fault?: HandshakeFault): void => {
        if (over) return;
        over = true;
        if (fault && !isOurs()) this.#parts.onFault({ ...fault, host, client });
        if (!done) tls.destroy();
        resolve(done);
      };
      tls.once('secure', () => settle(true));
      const left = (): void => settle(false, { cause: 'unused', detail: 'closed in the handshake' });
      tls.once('end', left).once('close', left);
      tls.on('error', (error) => {
        const fault = handshakeFault(error);
        if (!over) settle(false, fault);
        else if (fault && tls.bytesRead === 0) this.#parts.onFault({ ...fault, host, client }); // said only behind it
      });
    });
  }

  /** Some clients say nothing when they do not trust us: they close once the handshake is over. */
  #closed(tls: TLSSocket, { host, client }: Named): void {
    if (tls.bytesRead === 0)
      this.#parts.onFault({ cause: 'unused', detail: 'closed before a request', host, client });
  }
}

interface Handshake {
  readonly named: Named;
  readonly serving: Serving;
}

function contextOf(scheme: 'http' | 'https', { host, port, credential }: Wanted): ConnectionContext {
  const place = placeOf(scheme, { host, port });
  return { carrier: 'connect', tunnel: { place, ...(credential && { credential }) } };
}
