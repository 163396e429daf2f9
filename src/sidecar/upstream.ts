/** How this sidecar reaches upstreams: names, limits, timeouts, protocols. */
import type { Settings } from '../config/schema.ts';
import { systemClock } from '../config/system.ts';
import { boundedLookup, interfaceAddresses } from '../proxy/address/lookup.ts';
import type { Exception } from '../proxy/address/exception.ts';
import { VettingResolver } from '../proxy/address/resolver.ts';
import { HttpUpstream, UPSTREAM_DEFAULTS } from '../proxy/upstream/upstream.ts';
import type { HttpChoice } from '../proxy/upstream/upstream.ts';
import type { Standing } from './standing.ts';
import type { UpstreamAccess } from './upstream-access.ts';

/** `own`: the ports of our listeners, known once they listen. */
export function makeResolver(
  settings: Settings,
  own: ReadonlySet<number>,
): (exceptions: readonly Exception[]) => VettingResolver {
  const lookup = boundedLookup({ clock: systemClock, timeoutMs: settings.upstream.dns_timeout_ms });
  const ownPorts = (): ReadonlySet<number> => own;
  return (exceptions) =>
    new VettingResolver({ lookup, exceptions, ownPorts, interfaces: interfaceAddresses });
}

/** Upstreams as settings, routes and client certificates say. */
export function makeUpstream(
  { limits, upstream, websocket }: Settings,
  standing: Standing,
  access: UpstreamAccess,
): HttpUpstream {
  const { connect_timeout_ms, head_timeout_ms, idle_timeout_ms, max_idle_sockets } = upstream;
  return new HttpUpstream(systemClock, {
    ...UPSTREAM_DEFAULTS,
    connectMs: connect_timeout_ms,
    headMs: head_timeout_ms,
    bodyIdleMs: idle_timeout_ms,
    totalMs: upstream.total_timeout_ms,
    agentMs: limits.idle_timeout_ms,
    minimumRate: { ...UPSTREAM_DEFAULTS.minimumRate, bytesPerSecond: limits.min_body_bytes_per_second },
    maxCalls: upstream.max_calls,
    choose: (origin) => httpAt(origin, standing.settings),
    maxIdlePerKey: max_idle_sockets,
    webSocket: { maxMessageBytes: websocket.max_message_bytes, idleMs: websocket.idle_timeout_ms },
    identity: (place) => access.identity(place),
    proxyFor: (host) => access.proxyFor(host),
  });
}

/** What an upstream is spoken to with: its route says, or the setting for all. */
function httpAt(origin: string, { routes, upstream }: Settings): HttpChoice {
  return routes.find((route) => route.upstream === origin && route.http)?.http ?? upstream.http;
}
