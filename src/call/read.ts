/**
 * One head becomes one strict call, or a refusal (threats.md §1–2). The order is the order of this file: sizes, headers,
 * framing, method, target, route, path; each rule has its own code, and what passes them all is what will be forwarded.
 */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { Call, Carrier, Framing, RawHead } from './call.ts';
import { findCredential } from './credential.ts';
import { strangeExpectation } from './expect.ts';
import { forwardedHeaders } from './forwarded-headers.ts';
import { announcedTrailers, readFraming } from './framing.ts';
import { readHeaders, repeatedHeader } from './headers.ts';
import type { HeaderSection } from './headers.ts';
import { hostHeader, placeOf } from './host.ts';
import type { Authority, Place } from './host.ts';
import { coalesced, unfitForStream } from './http2-head.ts';
import { lookalikeHeader } from './lookalike-header.ts';
import { readOverride, strangeMethod } from './method.ts';
import { readPath } from './path.ts';
import { redirectedPlace } from './redirect.ts';
import type { Redirect } from './redirect.ts';
import { findRoute, pathBehind } from './route.ts';
import type { Route, UpstreamRules } from './route.ts';
import { headTooLarge, targetTooLarge, tooManyHeaders, unknownVersion } from './size.ts';
import { otherHost, readAbsolute, readHost, readOrigin, readTunnel, strangeTarget } from './target.ts';
import type { Resource } from './target.ts';
import { readTrace } from './trace.ts';
import type { Tunnel } from './tunnel.ts';
import { readUpgrade, together } from './upgrade.ts';

/** Where a head came in, and what is new about its call. */
export interface CallContext {
  /** UUIDv7 of the call. */
  readonly id: string;
  /** 16 random bytes. */
  readonly salt: Uint8Array;
  readonly carrier: Carrier;
  /** Of `placeRoutes`; for the reverse port. */
  readonly routes?: readonly Route[];
  /** What the connection stands for, inside CONNECT. */
  readonly tunnel?: Tunnel;
  /** And on the transparent port. */
  readonly redirect?: Redirect;
  /** What is loosened for which upstream origin; for all ports but the reverse one. */
  readonly origins?: ReadonlyMap<string, UpstreamRules>;
}

/** Where a call goes: an upstream, and a path that was judged. */
interface Destination extends Resource {
  readonly place: Place;
  readonly segments: readonly string[];
  readonly rules: UpstreamRules;
}

const STRICT: UpstreamRules = {};

/** The strict call of a head, or the first rule it breaks. */
export function readCall(head: RawHead, context: CallContext): Outcome<Call> {
  const oversized =
    unknownVersion(head) ?? tooManyHeaders(head) ?? targetTooLarge(head) ?? headTooLarge(head);
  if (oversized) return oversized;
  const headers = readHeaders(head.headers);
  if (!headers.ok) return headers;
  const section = headers.value;
  const unfit = unfitForStream(head);
  if (unfit) return unfit;
  const repeated = repeatedHeader(section);
  if (repeated) return repeated;
  const credential = findCredential(section);
  if (!credential.ok) return credential;
  const framing = readFraming(section, head);
  if (!framing.ok) return framing;
  const fault =
    lookalikeHeader(section) ??
    announcedTrailers(section, head) ??
    strangeExpectation(section) ??
    strangeMethod(head.method) ??
    strangeTarget(head) ??
    tunnelBody(head, framing.value);
  if (fault) return fault;
  const destination = readDestination(head, section, context);
  if (!destination.ok) return destination;
  const { place, path, query, segments, rules } = destination.value;
  const override = readOverride(section, rules.overrides ?? []);
  if (!override.ok) return override;
  const upgrade = readUpgrade({ head, section, framing: framing.value });
  if (!upgrade.ok) return upgrade;
  const trace = readTrace(section, context.id);
  const passed = head.method === 'CONNECT' ? [] : forwardedHeaders(section, hostHeader(place), trace);
  const granted = credential.value ?? context.tunnel?.credential; // one of the two, never both merged
  return pass({
    id: context.id,
    carrier: context.carrier,
    method: head.method,
    action: upgrade.value ? 'UPGRADE' : head.method,
    ...(upgrade.value && { upgrade: upgrade.value }),
    ...place,
    path,
    segments,
    query,
    ...(override.value !== undefined && { override: override.value }),
    headers: upgrade.value ? together(passed) : passed,
    framing: framing.value,
    ...(granted && { credential: granted }),
    trace: trace.parent,
    salt: context.salt,
  });
}

function readDestination(head: RawHead, section: HeaderSection, context: CallContext): Outcome<Destination> {
  const host = readHost(section, head);
  if (!host.ok) return host;
  if (head.method === 'CONNECT') return readConnect(head, host.value, context);
  switch (context.carrier) {
    case 'forward':
      return readForward(head, host.value, context);
    case 'reverse':
      return readReverse(head, host.value, context);
    case 'connect':
    case 'transparent':
      return readInside(head, host.value, context);
  }
}

/** The forward port: the target names the upstream. */
function readForward(head: RawHead, host: Authority | undefined, context: CallContext): Outcome<Destination> {
  const target = readAbsolute(head);
  if (!target.ok) return target;
  const { place, path, query } = target.value;
  const other = otherHost(place, host);
  if (other) return other;
  const rules = context.origins?.get(place.origin) ?? STRICT;
  const segments = readPath(path, rules);
  return segments.ok ? pass({ place, path, query, segments: segments.value, rules }) : segments;
}

/** On a connection that stands for one place: `Host` may name no other (threats.md §2, domain fronting). */
function readInside(head: RawHead, host: Authority | undefined, context: CallContext): Outcome<Destination> {
  const target = readOrigin(head);
  if (!target.ok) return target;
  const found = placeOfConnection(host, context);
  if (!found.ok) return found;
  const place = found.value;
  const other = coalesced(head, place, host) ?? otherHost(place, host);
  if (other) return other;
  const rules = context.origins?.get(place.origin) ?? STRICT;
  const segments = readPath(target.value.path, rules);
  return segments.ok ? pass({ place, ...target.value, segments: segments.value, rules }) : segments;
}

function placeOfConnection(host: Authority | undefined, { tunnel, redirect }: CallContext): Outcome<Place> {
  if (tunnel) return pass(tunnel.place);
  if (!redirect) return deny('authority_mismatch', 'the connection stands for no place');
  const place = redirectedPlace(redirect, host);
  return place ? pass(place) : deny('host_missing', 'neither Host nor a name in TLS');
}

/** The reverse port: a route names the upstream, and the path is judged whole before its prefix is cut off. */
function readReverse(head: RawHead, host: Authority | undefined, context: CallContext): Outcome<Destination> {
  const target = readOrigin(head);
  if (!target.ok) return target;
  const route = findRoute(context.routes ?? [], target.value.path, host);
  const judged = readPath(target.value.path, route?.rules);
  if (!judged.ok) return judged;
  if (!route) return deny('route_unknown', 'no route takes this path and host');
  const { place, rules } = route;
  const path = pathBehind(route, target.value.path);
  const segments = readPath(path, rules);
  return segments.ok
    ? pass({ place, path, query: target.value.query, segments: segments.value, rules })
    : segments;
}

/** RFC 9110 §9.3.6: a host and a port, and no path that anybody sees. What is inside is taken for TLS. */
function readConnect(head: RawHead, host: Authority | undefined, context: CallContext): Outcome<Destination> {
  const authority = readTunnel(head);
  if (!authority.ok) return authority;
  if (context.carrier !== 'forward') return deny('tunnel_unsupported', `CONNECT on ${context.carrier}`);
  const place = placeOf('https', authority.value);
  const other = otherHost(place, host);
  return other ?? pass({ place, path: '', query: null, segments: [], rules: STRICT });
}

/** RFC 9110 §9.3.6: what follows a CONNECT is the tunnel's, not a body. */
function tunnelBody(head: RawHead, framing: Framing): Refusal | undefined {
  const empty = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
  return head.method === 'CONNECT' && !empty ? deny('framing_invalid', 'a CONNECT with a body') : undefined;
}
