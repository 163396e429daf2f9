/** The two ports that agents call. */
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { descriptorLimit, systemClock } from '../config/system.ts';
import type { Observer } from '../gate/observer.ts';
import type { RecordingLimit } from '../gate/recording-limit.ts';
import { Listener } from '../proxy/listener.ts';
import type { Door } from '../proxy/door.ts';
import type { TunnelParts } from '../proxy/connect-exchange.ts';
import type { HttpUpstream } from '../proxy/upstream.ts';
import { Interceptor } from '../proxy/intercept.ts';
import type { CertificateAuthority } from '../proxy/certificate-authority.ts';
import type { Exposure } from './exposure.ts';

/** A port that could not be had. */
export class PortUnavailable extends Error {
  override readonly name = 'PortUnavailable';
  /** Which listener: `forward`, `reverse` or `admin`, which is also its flag. */
  readonly listener: 'forward' | 'reverse' | 'admin';

  constructor(listener: 'forward' | 'reverse' | 'admin', at: { host: string; port: number }, cause: unknown) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    super(`cannot listen on ${at.host}:${at.port} (${why})`, { cause });
    this.listener = listener;
  }
}

/** What stands behind every door. */
export interface DoorParts {
  readonly gate: Door;
  readonly observer: Observer;
  readonly limit: RecordingLimit;
  readonly exposure: Exposure;
  readonly log: Log;
  /** Signs the certificates that agents see. */
  readonly tls: CertificateAuthority;
  readonly upstream: HttpUpstream;
  /** The settings in force, which a reload changes. */
  current(): Settings;
}

const KEEP_ALIVE_MS = 65_000;
/** Descriptors for what is ours: threads, the log's files, bundles, the admin listener's connections. */
const OWN_DESCRIPTORS = 128;
/** Two listeners, and for each connection of an agent one to an upstream. */
const DESCRIPTORS_EACH = 4;

/** A listener, and where it listens. */
export interface OpenDoor {
  readonly carrier: 'forward' | 'reverse';
  readonly listener: Listener;
  /** `http://host:port`. */
  readonly url: string;
  readonly port: number;
}

/** Opens the ports that the settings name. Rejects with `PortUnavailable`; what was opened before is closed again. */
export async function openDoors(settings: Settings, parts: DoorParts): Promise<readonly OpenDoor[]> {
  const maxConnections = affordable(settings.limits.max_connections, parts.log);
  const opened: OpenDoor[] = [];
  for (const carrier of ['forward', 'reverse'] as const) {
    const at = settings.listen[carrier];
    if (!at) continue;
    const listener = makeListener(carrier, { ...settings.limits, max_connections: maxConnections }, parts);
    try {
      const { port } = await listener.listen(at.port, at.host);
      opened.push({ carrier, listener, port, url: urlOf(at.host, port) });
    } catch (cause) {
      await Promise.all(opened.map((door) => door.listener.stop()));
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
function affordable(wanted: number, log: Log): number {
  const descriptors = descriptorLimit();
  const most = Math.max(1, Math.floor((descriptors - OWN_DESCRIPTORS) / DESCRIPTORS_EACH));
  if (wanted > most)
    log.warn('fewer connections than limits.max_connections: raise the limit of open files', {
      wanted,
      taken: most,
      descriptors,
    });
  return Math.min(wanted, most);
}

function makeListener(
  carrier: 'forward' | 'reverse',
  limits: Settings['limits'],
  parts: DoorParts,
): Listener {
  return new Listener({
    carrier,
    gate: parts.gate,
    clock: systemClock,
    maxConnections: limits.max_connections,
    headMs: limits.header_timeout_ms,
    keepAliveMs: KEEP_ALIVE_MS,
    ...(carrier === 'forward' && { tunnels: makeTunnels(limits, parts) }),
    onOpen: (ports) => parts.exposure.look(ports),
    onMalformed: ({ carrier, status, why }) => {
      parts.limit.count(`malformed_${status}`);
      parts.observer.malformed({ carrier, status, why });
    },
  });
}

function makeTunnels(limits: Settings['limits'], parts: DoorParts): TunnelParts {
  const { tls, observer, current, upstream } = parts;
  const interceptor = new Interceptor({
    authority: tls,
    clock: systemClock,
    handshakeMs: limits.header_timeout_ms,
    plainAllowed: () => current().tls.plain_in_tunnel,
    onFault: (event) => observer.handshake(event),
  });
  return { interceptor, splicing: { ...upstream.tunnelling, helloMs: limits.header_timeout_ms } };
}
