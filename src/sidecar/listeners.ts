/** The ports that agents call. */
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { descriptorLimit, systemClock } from '../config/system.ts';
import type { Observer } from '../gate/observer.ts';
import type { RecordingLimit } from '../gate/recording-limit.ts';
import type { CallHandler } from '../proxy/agent/call-handler.ts';
import type { CertificateAuthority } from '../proxy/tunnel/certificate-authority.ts';
import type { TunnelParts } from '../proxy/tunnel/connect-exchange.ts';
import { Interceptor } from '../proxy/tunnel/intercept.ts';
import { Listener } from '../proxy/agent/listener.ts';
import type { Shed } from '../proxy/agent/load-shedding.ts';
import { OriginalDestinations } from '../proxy/tunnel/original-destination.ts';
import { TransparentListener } from '../proxy/tunnel/transparent.ts';
import type { TransparentParts } from '../proxy/tunnel/transparent.ts';
import type { HttpUpstream } from '../proxy/upstream/upstream.ts';
import { passthroughPlaces } from './entries.ts';
import type { Exposure } from './exposure.ts';

/** A listener; also its flag. */
export type ListenerName = AgentPort | 'admin';

type AgentPort = 'forward' | 'reverse' | 'transparent';

/** A port that could not be had. */
export class PortUnavailable extends Error {
  override readonly name = 'PortUnavailable';
  readonly listener: ListenerName;

  constructor(listener: ListenerName, at: { host: string; port: number }, cause: unknown) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    super(`cannot listen on ${at.host}:${at.port} (${why})`, { cause });
    this.listener = listener;
  }
}

/** What every listener has behind it. */
export interface ListenersParts {
  readonly gate: CallHandler & Pick<TransparentParts, 'turnAway'>;
  readonly observer: Observer;
  readonly limit: RecordingLimit;
  readonly exposure: Exposure;
  readonly log: Log;
  /** Signs the certificates that agents see. */
  readonly tls: CertificateAuthority;
  /** The same on the transparent port, where nobody has shown a grant yet: with leaves of its own to wear out. */
  readonly strangerTls: CertificateAuthority;
  readonly upstream: HttpUpstream;
  /** The settings in force, which a reload changes. */
  current(): Settings;
}

const KEEP_ALIVE_MS = 65_000;
/** Descriptors for what is ours: threads, the log's files, bundles, the admin listener's connections. */
const OWN_DESCRIPTORS = 128;
/** For each connection of an agent one to an upstream. */
const DESCRIPTORS_EACH = 2;
const AGENT_PORTS: readonly AgentPort[] = ['forward', 'reverse', 'transparent'];

/** A listener, and where it listens. */
export interface OpenListener {
  readonly carrier: AgentPort;
  readonly listener: Pick<Listener, 'stop' | 'destroy'>;
  /** `http://host:port`. */
  readonly url: string;
  readonly port: number;
}

/** Opens the ports that the settings name. Rejects with `PortUnavailable`; what was opened before is closed again. */
export async function openListeners(
  settings: Settings,
  parts: ListenersParts,
): Promise<readonly OpenListener[]> {
  const listeners = AGENT_PORTS.filter((carrier) => settings.listen[carrier]).length;
  const maxConnections = affordable(settings.limits.max_connections, listeners, parts.log);
  const opened: OpenListener[] = [];
  for (const carrier of AGENT_PORTS) {
    const at = settings.listen[carrier];
    if (!at) continue;
    const limits = { ...settings.limits, max_connections: maxConnections };
    const listener =
      carrier === 'transparent' ? makeTransparent(limits, parts) : makeListener(carrier, limits, parts);
    try {
      const { port } = await listener.listen(at.port, at.host);
      opened.push({ carrier, listener, port, url: urlOf(at.host, port) });
    } catch (cause) {
      await Promise.all(opened.map(({ listener }) => listener.stop()));
      throw new PortUnavailable(carrier, at, cause);
    }
  }
  return opened;
}

/** `http://host:port`. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** No agent may take the descriptors that the log needs: without one it fails, and the sidecar with it. */
function affordable(wanted: number, listeners: number, log: Log): number {
  const descriptors = descriptorLimit();
  const most = Math.max(1, Math.floor((descriptors - OWN_DESCRIPTORS) / listeners / DESCRIPTORS_EACH));
  if (wanted > most)
    log.warn('fewer connections than limits.max_connections: raise the limit of open files', {
      wanted,
      taken: most,
      descriptors,
    });
  return Math.min(wanted, most);
}

function makeTransparent(limits: Settings['limits'], parts: ListenersParts): TransparentListener {
  return new TransparentListener({
    inner: makeListener('transparent', limits, parts),
    interceptor: makeInterceptor('transparent', limits, parts),
    originals: new OriginalDestinations(),
    clock: systemClock,
    onShed: (what) => shed('transparent', what, parts),
    beginMs: limits.header_timeout_ms,
    passthrough: () => new Set(passthroughPlaces(parts.current())),
    turnAway: (connection, refusal) => parts.gate.turnAway(connection, refusal),
    onOpen: (ports) => parts.exposure.look(ports),
  });
}

function makeListener(carrier: AgentPort, limits: Settings['limits'], parts: ListenersParts): Listener {
  return new Listener({
    carrier,
    gate: parts.gate,
    clock: systemClock,
    maxConnections: limits.max_connections,
    maxIdleTls: limits.max_idle_tls,
    maxStreams: limits.max_streams,
    onShed: (what) => shed(carrier, what, parts),
    headMs: limits.header_timeout_ms,
    keepAliveMs: KEEP_ALIVE_MS,
    agentMs: limits.idle_timeout_ms,
    ...(carrier === 'forward' && { tunnels: makeTunnels(limits, parts) }),
    onOpen: (ports) => parts.exposure.look(ports),
    onMalformed: ({ carrier, status, why }) => {
      parts.limit.count(`malformed_${status}`);
      parts.observer.malformed({ carrier, status, why });
    },
  });
}

/** Nothing of it reached the gate: it is on record as a count. */
function shed(carrier: AgentPort, what: Shed, { limit, observer }: ListenersParts): void {
  limit.count(`shed_${what}`);
  observer.shed({ carrier, what });
}

function makeTunnels(limits: Settings['limits'], parts: ListenersParts): TunnelParts {
  const splicing = { ...parts.upstream.tunnelling, helloMs: limits.header_timeout_ms };
  return { interceptor: makeInterceptor('forward', limits, parts), splicing };
}

function makeInterceptor(
  carrier: 'forward' | 'transparent',
  limits: Settings['limits'],
  parts: ListenersParts,
): Interceptor {
  const { current, observer, strangerTls, tls } = parts;
  return new Interceptor({
    authority: carrier === 'transparent' ? strangerTls : tls,
    maxHandshakes: limits.max_handshakes,
    onShed: (what) => shed(carrier, what, parts),
    clock: systemClock,
    handshakeMs: limits.header_timeout_ms,
    plainAllowed: () => current().tls.plain_in_tunnel,
    onFault: (event) => observer.handshake(event),
  });
}
