/** Reverse routes: which upstream a path or host on the reverse port stands for (design.md §4). */
import { parseAuthority, parseOrigin } from './host.ts';
import type { Authority, Place } from './host.ts';
import { isMethodOverride } from './method.ts';
import { readPath } from './path.ts';
import type { PathRules } from './path.ts';

/** What an operator loosened for one upstream; nothing by default. */
export interface UpstreamRules extends PathRules {
  /** Lower-case names of method-override headers that pass, and must then be granted as well. */
  readonly overrides?: readonly string[] | undefined;
}

/** One route as set by the operator. Without `prefix` and `host` it takes every call. */
export interface RouteSetting extends UpstreamRules {
  /** Path prefix at a segment border: `/github` takes `/github` and `/github/…`. */
  readonly prefix?: string | undefined;
  /** `Host` that the agent calls, `name` (any port) or `name:port`. */
  readonly host?: string | undefined;
  /** WHATWG origin of the upstream. */
  readonly upstream: string;
}

/** A checked route. Made only by `placeRoutes`. */
export interface Route {
  readonly rules: UpstreamRules;
  /** Without its final slash: the route of everything has the empty prefix. */
  readonly prefix: string;
  readonly host: Authority | undefined;
  readonly place: Place;
}

/** The routes, the most specific first: by host before any host, then by longest prefix. Throws on a faulty route. */
export function placeRoutes(routes: readonly RouteSetting[]): readonly Route[] {
  const names = routes.map(({ host = '', prefix = '/' }) => `${host} ${prefix}`);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Error(`two routes for ${twice.trim()}`);
  return routes.map(placeRoute).sort(moreSpecific);
}

/** The route of a call on the reverse port, undefined where none takes it. */
export function findRoute(
  routes: readonly Route[],
  path: string,
  host: Authority | undefined,
): Route | undefined {
  return routes.find((route) => takesHost(route, host) && takesPath(route, path));
}

/** The path that the upstream sees. */
export function pathBehind(route: Route, path: string): string {
  return path.slice(route.prefix.length) || '/';
}

/**
 * What is loosened for calls that name an origin themselves, on the forward port: where several routes lead to it, only
 * what all of them loosen.
 */
export function originRules(routes: readonly Route[]): ReadonlyMap<string, UpstreamRules> {
  const origins = new Map<string, UpstreamRules>();
  for (const { place, rules } of routes) {
    const known = origins.get(place.origin);
    origins.set(place.origin, known ? strictest(known, rules) : rules);
  }
  return origins;
}

function strictest(a: UpstreamRules, b: UpstreamRules): UpstreamRules {
  return {
    encoded_slash: a.encoded_slash === b.encoded_slash ? a.encoded_slash : 'reject',
    overrides: (a.overrides ?? []).filter((name) => b.overrides?.includes(name)),
  };
}

function placeRoute({ prefix = '/', host, upstream, ...rules }: RouteSetting): Route {
  const place = parseOrigin(upstream);
  if (!place) throw new Error(`upstream ${upstream} is not an origin such as https://api.example.com`);
  const fault = readPath(prefix);
  if (!fault.ok || (prefix !== '/' && prefix.endsWith('/')))
    throw new Error(`prefix ${prefix} is not a plain path without a final slash`);
  const authority = host === undefined ? undefined : parseAuthority(host);
  if (host !== undefined && !authority) throw new Error(`host ${host} is not a name or name:port`);
  const override = rules.overrides?.find((name) => !isMethodOverride(name));
  if (override !== undefined) throw new Error(`${override} is not a method override that may pass`);
  return { rules, prefix: prefix === '/' ? '' : prefix, host: authority, place };
}

function moreSpecific(a: Route, b: Route): number {
  const rank = ({ host }: Route): number => (!host ? 0 : host.port === undefined ? 1 : 2);
  return rank(b) - rank(a) || b.prefix.length - a.prefix.length;
}

function takesHost({ host }: Route, called: Authority | undefined): boolean {
  if (!host) return true;
  return host.host === called?.host && (host.port === undefined || host.port === called.port);
}

function takesPath({ prefix }: Route, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}
