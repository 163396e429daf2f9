/**
 * The one table of settings. Types, `--help`, `writ config check|print|schema` and docs/settings.md derive from it.
 * Units are in the names. There is no setting that lets a call pass unverified, undecided or unrecorded.
 */
import * as z from 'zod';
import { limits } from './limits.ts';
import { routes } from './route-setting.ts';
import { notes, section, setting } from './setting.ts';
import type { Note } from './setting.ts';
import { timestamp, witnesses } from './voucher-setting.ts';
import {
  certificatePlaces,
  allowedAddress,
  endpoint,
  hostName,
  http,
  httpOrigin,
  logName,
  path,
  unproxiedHost,
  whole,
} from './values.ts';

/** The table. */
export const settingsSchema = z.strictObject({
  home: setting(path, '.writ', {
    kind: 'path',
    flag: 'home',
    description:
      'Keys, log, policy and admin token. Must be a folder of its own, mode 0700. Also `WRIT_HOME`.',
  }),
  listen: section({
    forward: setting(endpoint, '127.0.0.1:3128', {
      kind: 'text',
      flag: 'forward',
      description:
        'Forward proxy, for `HTTP_PROXY`: `address:port`, a port on 127.0.0.1 (0: any free one), or `off`.',
    }),
    reverse: setting(endpoint, '127.0.0.1:8080', {
      kind: 'text',
      flag: 'reverse',
      description: 'Reverse proxy, for `routes`: as above.',
    }),
    transparent: setting(endpoint, '127.0.0.1:15001', {
      kind: 'text',
      flag: 'transparent',
      description: 'For connections that were redirected (`iptables … REDIRECT`): as above.',
    }),
    admin: setting(endpoint, '127.0.0.1:15020', {
      kind: 'text',
      flag: 'admin',
      description: 'Health, metrics, public keys and the operator’s API: as above. Keep it on loopback.',
    }),
  }),
  routes: setting(routes, [], {
    kind: 'maps',
    live: true,
    description:
      'Where the reverse proxy sends calls: a list of `{prefix, host, upstream, http, encoded_slash, overrides}`. `upstream` is an origin; without `prefix` and `host` a route takes every call; `host` goes before `prefix`, the longest prefix wins. `http` stands for `upstream.http` at that origin. `encoded_slash: segment` lets `%2f` stay inside a path segment (npm, GitLab); `overrides` names method-override headers that may pass. A route allows its upstream’s address, also a private one. On the forward port an origin has what all its routes loosen, and no more.',
  }),
  grant: section({
    authorities: setting(path, '<home>/authorities.json', {
      kind: 'path',
      live: true,
      description:
        'Who may sign grants: `{"authorities":[{"iss":…,"jwk":…}]}`. Unreadable: every call is denied.',
    }),
    audience: setting(z.string('must be a text').min(1, 'must not be empty').nullable(), null, {
      kind: 'text',
      description:
        'The `aud` that grants must name. Absent: the log’s origin, which is what `max_calls` needs.',
    }),
    max_lifetime_seconds: setting(whole(1, 31_536_000), 3600, {
      kind: 'whole',
      description: 'Grants that live longer (`exp` − `iat`) are denied: what leaks should soon be worthless.',
    }),
  }),
  policy: section({
    bundle: setting(path, '<home>/policy/active', {
      kind: 'path',
      live: true,
      description:
        'Folder of the compiled bundle (`policy.wasm`, `data.json`, `.manifest`), made by `writ policy build`.',
    }),
    deadline_ms: setting(whole(10, 10_000), 250, {
      kind: 'whole',
      description: 'An evaluation that takes longer is killed and its call denied; other calls go on.',
    }),
    max_age_seconds: setting(whole(1, 1_728_000).nullable(), null, {
      kind: 'whole',
      description:
        'A policy that no start or reload has confirmed for so long denies every call until a reload succeeds. Absent: it never ages.',
    }),
    max_input_bytes: setting(whole(1024, 16_777_216), 1_048_576, {
      kind: 'whole',
      description: 'A larger policy input is denied before it is evaluated.',
    }),
  }),
  lineage: section({
    name: setting(logName, 'localhost/writ', {
      kind: 'text',
      flag: 'name',
      description:
        'Name of a new log; its origin is `<name>/<16 hex of its key>`. Read only when a home is made.',
    }),
    deadline_ms: setting(whole(100, 60_000), 5000, {
      kind: 'whole',
      description: 'An entry that is not on disk by then denies its call, and readiness falls.',
    }),
    path: setting(z.enum(['full', 'digest'], 'must be full or digest'), 'full', {
      kind: 'text',
      live: true,
      description: '`digest` records salted digests of paths, for upstreams that put secrets there.',
    }),
    inputs: setting(z.enum(['keep', 'digest'], 'must be keep or digest'), 'digest', {
      kind: 'text',
      description:
        '`keep` keeps what policies were asked beside the log, for `writ lineage replay`: calls with their headers (no secrets) and, where a policy reads it, content. `digest` records only digests of it.',
    }),
    inputs_bytes: setting(whole(1_048_576), 1_073_741_824, {
      kind: 'whole',
      description: 'So much of it is kept; past that the oldest goes.',
    }),
    segment_bytes: setting(whole(65_536, 1_073_741_824), 67_108_864, {
      kind: 'whole',
      description: 'A log file that has grown past this is closed and the next one begun.',
    }),
    segment_seconds: setting(whole(60, 31_536_000), 86_400, {
      kind: 'whole',
      description:
        'So is one whose first entry is this old, at the next entry: only closed files can be pruned.',
    }),
    alarm_free_bytes: setting(whole(0), 1_073_741_824, {
      kind: 'whole',
      description:
        'With less room than this on the log’s disk an alarm is raised: `/readyz`, metrics, the process’s log, `writ doctor`.',
    }),
    permit_free_bytes: setting(whole(0), 67_108_864, {
      kind: 'whole',
      description:
        'With less room than this every call is denied (`log_space_low`), and the denials are still recorded.',
    }),
    denial_free_bytes: setting(whole(0), 16_777_216, {
      kind: 'whole',
      description:
        'With less room than this denials are signed and counted only; the rest is for what closes running calls.',
    }),
  }),
  witness: witnesses,
  timestamp,
  upstream: section({
    allow: setting(z.array(allowedAddress, 'must be a list'), [], {
      kind: 'list',
      live: true,
      flag: 'allow',
      description:
        'Private, loopback and other special addresses that may be dialled, each as `address:port` or `cidr:port`. All others are denied; the sidecar’s own listeners always are.',
    }),
    dns_timeout_ms: setting(whole(10, 60_000), 2000, {
      kind: 'whole',
      description: 'A name that takes longer to resolve is denied.',
    }),
    connect_timeout_ms: setting(whole(10, 120_000), 5000, {
      kind: 'whole',
      description: 'For TCP and TLS together. Past it: 504.',
    }),
    head_timeout_ms: setting(whole(10, 3_600_000), 120_000, {
      kind: 'whole',
      description:
        'From the end of the request to the upstream’s status line (models think for long). Past it: 504.',
    }),
    idle_timeout_ms: setting(whole(0, 3_600_000), 300_000, {
      kind: 'whole',
      description:
        'Silence in the middle of a response (on HTTP/2 also of the request beside it), for each call. Past it the call ends; 0 waits for ever, for event streams without heartbeats.',
    }),
    total_timeout_ms: setting(whole(0, 86_400_000), 0, {
      kind: 'whole',
      description:
        'For a whole call, its response included, and for a tunnel. Past it the call ends; 0: as long as its grant allows.',
    }),
    max_calls: setting(whole(1, 1_000_000), 128, {
      kind: 'whole',
      description:
        'Calls and tunnels that one agent may have running at one upstream. Past it: 503. It bounds what a thousand slow readers can hold.',
    }),
    http: setting(http, 'auto', {
      kind: 'text',
      live: true,
      description:
        'What upstreams are spoken to with. `auto`: what the agent speaks, HTTP/2 only where the upstream agrees to it by ALPN, on `http://` HTTP/1.1 but for gRPC that came over HTTP/2; `h1`; `h2`, on `http://` without asking. A route can say otherwise for its upstream.',
    }),
    max_idle_sockets: setting(whole(0, 4096), 256, {
      kind: 'whole',
      description: 'Connections to one upstream that are kept for the next call of the same agent.',
    }),
    extra_roots: setting(path.nullable(), null, {
      kind: 'path',
      live: true,
      description:
        'PEM file of certificate authorities that are trusted beside Node’s own, for private upstreams.',
    }),
    client_certificates: setting(certificatePlaces, [], {
      kind: 'maps',
      live: true,
      description:
        'Who the sidecar is to upstreams that ask (mutual TLS): a list of `{host, certificate_file, key_file}`. `host` is `name` for port 443, or `name:port`; the files are PEM, the certificate with its chain, the key without a passphrase. A reload reads the files anew, whether or not their names changed.',
    }),
    proxy: setting(httpOrigin.nullable(), null, {
      kind: 'text',
      description:
        'A proxy that upstreams are reached through: `http://host:port`. It is asked (`CONNECT`) for the vetted addresses, so that it resolves nothing, and for plain HTTP too. Its own address may be private.',
    }),
    proxy_except: setting(z.array(unproxiedHost, 'must be a list'), [], {
      kind: 'list',
      description:
        'Hosts that are reached without `upstream.proxy`: each `name`, an address, or `.domain` for all names below it.',
    }),
    proxy_credentials_file: setting(path.nullable(), null, {
      kind: 'path',
      live: true,
      description:
        'File with `user:password` for `upstream.proxy`, in one line. Nobody else sees it; a reload reads it anew.',
    }),
  }),
  websocket: section({
    max_message_bytes: setting(whole(125, 1_073_741_824), 16_777_216, {
      kind: 'whole',
      description:
        'A message of either end, all its fragments together; a larger one ends the WebSocket (1009).',
    }),
    idle_timeout_ms: setting(whole(0, 86_400_000), 300_000, {
      kind: 'whole',
      description:
        'Silence of both ends; pings count, and are theirs to send. Past it the WebSocket ends; 0 waits for ever.',
    }),
  }),
  tls: section({
    passthrough: setting(z.array(hostName, 'must be a list'), [], {
      kind: 'list',
      live: true,
      description:
        'Hosts (`name` for port 443, or `name:port`) whose TLS stays closed. Their `CONNECT` is decided as one call, which grants must allow by the action `CONNECT`; what is inside is neither seen nor governed (`host-only`).',
    }),
    plain_in_tunnel: setting(z.boolean('must be true or false'), false, {
      kind: 'boolean',
      live: true,
      description:
        'Allow HTTP in the clear inside `CONNECT`, HTTP/2 with prior knowledge included; grants must name its `http://` origin.',
    }),
  }),
  denial: section({
    recorded_burst: setting(whole(1, 1_000_000_000), 100, {
      kind: 'whole',
      description:
        'So many denials at once are recorded one by one, for each holder and for all strangers together.',
    }),
    recorded_per_second: setting(whole(1, 1_000_000_000), 10, {
      kind: 'whole',
      description:
        'And so many each second after that; the rest are signed and counted, so that nobody fills the disk.',
    }),
  }),
  proxy: section({
    challenge: setting(z.boolean('must be true or false'), false, {
      kind: 'boolean',
      description:
        'On the forward port, answer a call without any grant with 407, for clients that send proxy credentials only when asked.',
    }),
  }),
  limits,
  stop: section({
    grace_seconds: setting(whole(0, 3600), 10, {
      kind: 'whole',
      description:
        'After SIGTERM running calls have so long to finish; then they are cut, and recorded as cut.',
    }),
  }),
  log: section({
    level: setting(
      z.enum(['debug', 'info', 'warn', 'error', 'silent'], 'must be debug, info, warn, error or silent'),
      'info',
      {
        kind: 'text',
        flag: 'log-level',
        description: 'What the process says on stderr (JSON lines). The lineage log is not affected.',
      },
    ),
  }),
  admin: section({
    token_file: setting(path, '<home>/admin.token', {
      kind: 'path',
      description:
        'The operator’s bearer token. The agent shares loopback, so nothing private goes without it.',
    }),
    hosts: setting(
      z.array(z.string().regex(/^[a-z0-9.-]+$/, 'must be a host name in lower case'), 'must be a list'),
      [],
      {
        kind: 'list',
        description:
          'Names besides loopback that may stand in `Host` on the admin port (against DNS rebinding).',
      },
    ),
  }),
});

/** Every setting, read and complete. */
export type Settings = z.output<typeof settingsSchema>;

/** One route of the reverse proxy. */
export type Route = Settings['routes'][number];

/** One row of the table, for help, docs and readers of text. */
export interface TableRow extends Note {
  /** `section.name`. */
  readonly name: string;
  /** As it would stand in a file. */
  readonly absent: unknown;
}

/** The table as rows, in order. */
export const settingsTable: readonly TableRow[] = rowsOf(settingsSchema, '');

function rowsOf(schema: z.ZodObject, prefix: string): readonly TableRow[] {
  return Object.entries(schema.shape).flatMap(([name, child]) => {
    if (!(child instanceof z.ZodPrefault)) throw new Error(`setting ${prefix}${name} has no default`);
    const note = notes.get(child);
    if (note) return [{ ...note, name: prefix + name, absent: child.def.defaultValue }];
    const inner: unknown = child.def.innerType;
    if (!(inner instanceof z.ZodObject)) throw new Error(`setting ${prefix}${name} has no note`);
    return rowsOf(inner, `${name}.`);
  });
}
