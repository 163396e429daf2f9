/** The admin listener: a server of its own, never on the way of a call. */
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { MiddlewareHandler } from 'hono';
import { closed, listening } from '../config/http-server.ts';
import { LineageUnavailable } from '../lineage/lineage.ts';
import { holdsToken, turnAway } from './door.ts';
import { operatorPart } from './operator.ts';
import type { OperatorParts } from './operator.ts';
import { problem } from './problem.ts';
import { publicPart } from './public.ts';
import type { PublicParts } from './public.ts';
import { Visitors } from './visitors.ts';

/** What the listener shows, and to whom. */
export interface ConsoleParts extends PublicParts, OperatorParts {
  /** The operator's token; undefined where it cannot be read: then nobody is the operator. */
  readonly token: () => string | undefined;
  /** Host names, beside loopback and the listener's own address, by which it may be asked. */
  readonly hosts: readonly string[];
  /** Hears of faults of the program. */
  readonly onFault: (fault: unknown) => void;
}

/** A listener that runs. */
export interface ConsoleServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

interface Bindings {
  readonly Bindings: { readonly incoming: IncomingMessage };
}

const MAX_BODY_BYTES = 65_536;
const MAX_CONNECTIONS = 32;
const REQUEST_MS = 10_000;
const CHECK_MS = 1000;
const MAX_HEAD_BYTES = 16_384;

/** On every reply: nothing here is a page, may be framed, sniffed, or read by another site, or cached unless it says so. */
const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Binds and serves. Rejects where the address cannot be had (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`). */
export async function startConsole(
  parts: ConsoleParts,
  at: { readonly host: string; readonly port: number },
): Promise<ConsoleServer> {
  const app = consoleApp(parts);
  const answer = getRequestListener(
    (request, env) => app.fetch(request, env as Bindings['Bindings']), // `as`: a node:http server calls it
    { overrideGlobalObjects: false },
  );
  const server = createServer(
    { maxHeaderSize: MAX_HEAD_BYTES, requestTimeout: REQUEST_MS, connectionsCheckingInterval: CHECK_MS },
    (request, response) => {
      if (visitors.admit(request.socket, response)) void answer(request, response);
    },
  );
  const visitors = new Visitors(server, MAX_CONNECTIONS);
  await listening(server, at);
  const { port } = server.address() as AddressInfo; // a TCP listener
  return { host: at.host, port, close: () => closed(server) };
}

/** The routes, without a socket. */
export function consoleApp(parts: ConsoleParts): Hono<Bindings> {
  const app = new Hono<Bindings>();
  app.use(async (context, next) => {
    await next();
    const caching = context.res.headers.get('cache-control');
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
    if (caching) context.res.headers.set('cache-control', caching);
  });
  app.use(async (context, next) => {
    const turned = turnAway(knockOf(context.env.incoming), parts.hosts);
    return turned ? problem(turned.status, turned.detail) : next();
  });
  app.route('/', publicPart(parts));
  app.use(async (context, next) => {
    if (holdsToken(context.req.header('authorization'), parts.token())) return next();
    return problem(401, 'Send Authorization: Bearer with the token in the sidecar’s home.', {
      'www-authenticate': 'Bearer realm="writ"',
    });
  });
  app.use(limitBody);
  app.route('/', operatorPart(parts));
  app.notFound(() => problem(404, 'There is nothing here.'));
  app.onError((fault) => {
    if (fault instanceof LineageUnavailable) return problem(503, 'The lineage log is not available.');
    parts.onFault(fault);
    return problem(500, 'The sidecar failed; its log says how.');
  });
  return app;
}

/** A body has its length in front of it, at most 64 KiB. Without one a request has no body (RFC 9112 §6.3). */
const limitBody: MiddlewareHandler = async ({ req }, next) => {
  if (req.header('transfer-encoding') !== undefined)
    return problem(411, 'Send the body with its Content-Length.');
  const octets = Number(req.header('content-length') ?? 0);
  return octets > MAX_BODY_BYTES ? problem(413, `At most ${MAX_BODY_BYTES} bytes.`) : next();
};

function knockOf({ headers, socket }: IncomingMessage) {
  const fetchSite = headers['sec-fetch-site'];
  return {
    host: headers.host,
    localAddress: socket.localAddress,
    fetchSite: Array.isArray(fetchSite) ? fetchSite.join() : fetchSite,
    origin: headers.origin,
  };
}
