/** How each denial is provoked: one fault in a call that would pass without it. */
import { createHash } from 'node:crypto';
import type { DenialCode } from '../../src/denial/table.ts';
import type { Recipe } from '../grant/tokens.ts';
import { stranger } from '../grant/tokens.ts';
import type { ChildSidecar } from './child-sidecar.ts';
import type { GrantWish } from './home.ts';
import type { Origin } from './origin.ts';
import { exchange } from './wire.ts';
import type { Reply } from './wire.ts';

/** One way to be refused. */
export interface Row {
  readonly name: string;
  readonly code: DenialCode;
  /** What has to pass, or be refused, before. */
  readonly prepare?: (stage: Stage) => Promise<Reply>;
  readonly provoke: (stage: Stage) => Promise<Reply>;
  /** The call had been let out, and ended before its answer began. */
  readonly permitted?: boolean;
}

/** What a call says differently from one that passes. */
export interface Fault {
  readonly method?: string;
  readonly target?: string;
  /** Path at the origin. */
  readonly path?: string;
  /** `HTTP/1.1`. */
  readonly protocol?: string;
  /** Undefined: none. */
  readonly host?: string | undefined;
  /** Undefined: none. */
  readonly grant?: string | undefined;
  readonly lines?: readonly string[];
  readonly body?: string;
}

/** A sidecar with its origin. */
export class Stage {
  readonly sidecar: ChildSidecar;
  readonly origin: Origin;
  /** May be used once. */
  readonly single: string;
  /** Covers every good call. */
  readonly good: string;

  constructor(sidecar: ChildSidecar, origin: Origin) {
    this.sidecar = sidecar;
    this.origin = origin;
    this.single = sidecar.home.grant({ entry: { max_calls: 1 } });
    this.good = sidecar.home.grant();
  }

  /** A good call on the forward port, but for what is given. */
  forward(fault: Fault = {}): Promise<Reply> {
    return exchange(this.sidecar.port('forward'), this.bytes(fault));
  }

  /** The same on the reverse port; `/api` leads to the origin. */
  reverse(fault: Fault = {}): Promise<Reply> {
    const { path = '/api/a', host = `127.0.0.1:${this.sidecar.port('reverse')}` } = fault;
    return exchange(this.sidecar.port('reverse'), this.bytes({ target: path, ...fault, host }));
  }

  /** The bytes of a call. */
  bytes(fault: Fault = {}): string {
    const { method = 'GET', path = '/a', protocol = 'HTTP/1.1', lines = [], body = '' } = fault;
    const { target = `${this.origin.url}${path}` } = fault;
    const host = 'host' in fault ? fault.host : hostOf(target);
    const grant = 'grant' in fault ? fault.grant : this.good;
    const named = [
      ...(host === undefined ? [] : [`Host: ${host}`]),
      ...(grant ? [`Writ-Grant: ${grant}`] : []),
    ];
    return [`${method} ${target} ${protocol}`, ...named, ...lines, '', body].join('\r\n');
  }

  grant(wish: GrantWish = {}): string {
    return this.sidecar.home.grant(wish);
  }

  forge(change: (recipe: Recipe) => void): string {
    return this.sidecar.home.forge(change);
  }
}

function hostOf(target: string): string {
  return /^[a-z]+:\/\/(?:[^@/]*@)?([^/?#]*)/.exec(target)?.[1] ?? '127.0.0.1';
}

/** A row whose fault lies in the call. */
const call = (code: DenialCode, name: string, fault: Fault | ((stage: Stage) => Fault)): Row => ({
  name,
  code,
  provoke: (stage) => stage.forward(typeof fault === 'function' ? fault(stage) : fault),
});

/** A row whose fault lies in its grant. */
const grant = (code: DenialCode, name: string, text: (stage: Stage) => string | undefined): Row =>
  call(code, name, (stage) => ({ grant: text(stage) }));

/** A row whose fault is one claim, or header member, of a token that the authority signed all the same. */
const forged = (code: DenialCode, name: string, change: (recipe: Recipe) => void): Row =>
  grant(code, name, (stage) => stage.forge(change));

const upload = (body: string): Pick<Fault, 'method' | 'lines' | 'body'> => ({
  method: 'POST',
  lines: [`Content-Length: ${body.length}`],
  body,
});
const json = (body: string): Fault => ({
  ...upload(body),
  lines: [`Content-Length: ${body.length}`, 'Content-Type: application/json'],
});
const chunked = (text: string): Pick<Fault, 'method' | 'lines' | 'body'> => ({
  method: 'POST',
  lines: ['Transfer-Encoding: chunked'],
  body: text,
});
const fill = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, i) => `X-${String(i).padStart(3, '0')}: ${'v'.repeat(length)}`);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const now = (): number => Math.floor(Date.now() / 1000);

/** What the bytes on the wire must be. */
export const callRows: readonly Row[] = [
  call('http_version_unsupported', 'HTTP/2 in the clear', { protocol: 'HTTP/2.0' }),
  call('http_version_unsupported', 'HTTP/0.9', { protocol: 'HTTP/0.9' }),
  call('method_invalid', 'a method of another protocol', { method: 'SET_PARAMETER', protocol: 'RTSP/1.0' }),
  call('head_too_large', 'a head of 16 KiB and a bit', { lines: fill(88, 170) }),
  call('header_count', '101 headers', { lines: fill(99, 1) }),
  call('header_duplicate', 'two Hosts', ({ origin }) => ({ lines: [`Host: 127.0.0.1:${origin.port}`] })),
  call('header_lookalike', 'an underscore twin', { lines: ['Writ_Grant: x'] }),
  call('content_length_invalid', 'a zero-led length', { ...upload('abc'), lines: ['Content-Length: 03'] }),
  call('transfer_coding_unsupported', 'another coding', {
    ...chunked('0\r\n\r\n'),
    lines: ['Transfer-Encoding: gzip, chunked'],
  }),
  call('expect_unsupported', 'another expectation', { lines: ['Expect: tea'] }),
  call('trailers_unsupported', 'announced trailers', { ...chunked('0\r\n\r\n'), lines: ['Transfer-Encoding: chunked', 'Trailer: X-A'] }),
  call('method_override', 'another method in a header', { lines: ['X-HTTP-Method-Override: DELETE'] }),
  call('target_invalid', 'another scheme', { target: 'ftp://files.test/a' }),
  call('target_too_large', 'a target over 8 KiB', { path: `/${'a'.repeat(8192)}` }),
  call('target_userinfo', 'a password in the target', ({ origin }) => ({ target: `http://u:p@127.0.0.1:${origin.port}/a` })),
  call('target_fragment', 'a fragment', { path: '/a#b' }),
  call('target_absolute_required', 'origin-form on the forward port', ({ origin }) => ({ target: '/a', host: `127.0.0.1:${origin.port}` })),
  { name: 'absolute-form on the reverse port', code: 'target_origin_required', provoke: (stage) => stage.reverse({ target: `${stage.origin.url}/a` }) },
  call('target_https_absolute', 'https in the clear', { target: 'https://api.test/a' }),
  call('host_invalid', 'a host that is no name', { target: 'http://ex_ample.test/a' }),
  call('host_invalid', 'an address in disguise', { target: 'http://0x7f.1/a' }),
  call('host_missing', 'no Host', { host: undefined }),
  call('authority_mismatch', 'two authorities', { host: 'elsewhere.test' }),
  call('path_bytes', 'NUL in the path', { path: '/a%00b' }),
  call('path_encoded_slash', 'an encoded slash', { path: '/a%2fb' }),
  call('path_dot_segment', 'dots', { path: '/a/../b' }),
  call('path_empty_segment', 'two slashes', { path: '/a//b' }),
  call('path_ambiguous', 'encoded twice', { path: '/a%2541' }),
  { name: 'a path without a route', code: 'route_unknown', provoke: (stage) => stage.reverse({ path: '/elsewhere' }) },
  call('upgrade_invalid', 'half a handshake', { lines: ['Connection: Upgrade', 'Upgrade: websocket'] }),
  call('scope_location', 'CONNECT', { method: 'CONNECT', target: 'api.test:443', host: 'api.test:443' }),
  { name: 'CONNECT on the reverse port', code: 'tunnel_unsupported', provoke: (stage) => stage.reverse({ method: 'CONNECT', target: 'api.test:443', host: 'api.test:443' }) },
  call('upgrade_unsupported', 'h2c', { lines: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAA'] }),
]; // prettier-ignore

/** What a grant must be: the grant's part of threats.md §4. */
export const grantRows: readonly Row[] = [
  grant('grant_missing', 'none', () => undefined),
  call('grant_ambiguous', 'two headers', (stage) => ({ lines: [`Writ-Grant: ${stage.grant()}`] })),
  call('grant_ambiguous', 'both carriers', (stage) => ({ lines: [`Proxy-Authorization: Bearer ${stage.grant()}`] })),
  grant('grant_too_large', 'over 8 KiB', (stage) => stage.forge(({ payload }) => (payload['intent'] = 'x'.repeat(7000)))),
  grant('grant_malformed', 'an empty one', () => ' '),
  grant('grant_malformed', 'not a token', () => 'eyJ.eyJ.x'),
  grant('grant_malformed', 'padding', (stage) => `${stage.grant()}=`),
  call('grant_malformed', 'another scheme', (stage) => ({ grant: undefined, lines: [`Proxy-Authorization: Digest ${stage.grant()}`] })),
  forged('grant_malformed', 'alg none', ({ header }) => (header['alg'] = 'none')),
  forged('grant_malformed', 'its own key in the header', ({ header }) => (header['jwk'] = {})),
  forged('grant_unknown_key', 'an unknown kid', (recipe) => {
    recipe.header['kid'] = stranger.key.id;
    recipe.signer = stranger;
  }),
  forged('grant_unknown_key', 'another issuer', ({ payload }) => (payload['iss'] = 'urn:other')),
  forged('grant_bad_signature', 'a wrong key', (recipe) => (recipe.signer = stranger)),
  { ...grant('grant_bad_signature', 'one that passed, under another signature', resigned), prepare: (stage) => stage.forward() },
  forged('grant_claims_invalid', 'an unknown claim', ({ payload }) => (payload['admin'] = true)),
  forged('grant_claims_invalid', 'no scope', ({ payload }) => (payload['authorization_details'] = [])),
  forged('grant_chain_unsupported', 'a delegated one', ({ payload }) => (payload['del_depth'] = 0)),
  grant('grant_chain_unsupported', 'a chain', (stage) => `${stage.grant()}, ${stage.grant()}`),
  forged('grant_possession_unsupported', 'bound to a key', ({ payload }) => (payload['cnf'] = { jwk: {} })),
  forged('grant_environment_unsupported', 'bound to an environment', ({ payload }) => (payload['env'] = { image: 'x' })),
  grant('grant_wrong_audience', 'for another sidecar', (stage) => stage.grant({ aud: 'localhost/writ/0000000000000000' })),
  grant('grant_not_yet_valid', 'not before', (stage) => stage.grant({ delay: 60 })),
  forged('grant_not_yet_valid', 'issued in the future', ({ payload }) => Object.assign(payload, { iat: now() + 90, exp: now() + 600 })),
  forged('grant_expired', 'expired', ({ payload }) => Object.assign(payload, { iat: now() - 60, exp: now() })),
  grant('grant_lifetime', 'too long a life', (stage) => stage.grant({ seconds: 3601 })),
  grant('grant_wrong_policy', 'another policy', (stage) => stage.grant({ policy: sha256('another') })),
  call('scope_location', 'another port', (stage) => ({ target: `http://127.0.0.1:${stage.origin.port - 1}/a` })),
  call('scope_action', 'another method', { method: 'PATCH' }),
  grant('scope_path', 'another path', (stage) => stage.grant({ entry: { paths: ['/b/**'] } })),
  call('scope_tools', 'a tool that is not granted', (stage) => ({ ...json('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"}}'), grant: stage.grant({ entry: { mcp_tools: ['search'] } }) })),
  call('scope_tools', 'what is no MCP', (stage) => ({ ...upload('other'), grant: stage.grant({ entry: { mcp_tools: ['search'] } }) })),
  call('content_too_large', 'too long to be parsed', (stage) => ({ ...json('1'.repeat(1001)), grant: stage.grant({ entry: { mcp_tools: ['search'] } }) })),
  call('scope_request_bytes', 'a longer body', (stage) => ({ ...upload('12345'), grant: stage.grant({ entry: { max_request_bytes: 4 } }) })),
  call('content_timeout', 'a body that does not come', (stage) => ({ ...upload('body!'), body: 'bo', grant: stage.grant({ entry: { content_sha256: sha256('body!') } }) })),
  call('scope_content', 'another body', (stage) => ({ ...upload('other'), grant: stage.grant({ entry: { content_sha256: sha256('body!') } }) })),
  call('scope_content', 'another body, in chunks', (stage) => ({ ...chunked('5\r\nother\r\n0\r\n\r\n'), grant: stage.grant({ entry: { content_sha256: sha256('body!') } }) })),
  call('scope_content', 'a body that is too long to hold', (stage) => ({ ...upload('x'.repeat(2000)), grant: stage.grant({ entry: { content_sha256: sha256('x'.repeat(2000)) } }) })),
  { ...grant('grant_used_up', 'used twice', ({ single }) => single), prepare: (stage) => stage.forward({ grant: stage.single }) },
]; // prettier-ignore

/** What policy may answer, and not. */
export const policyRows: readonly Row[] = [
  call('policy_denied', 'a rule', { path: '/teapot' }),
  call('policy_timeout', 'an endless rule', { path: '/endless' }),
  call('policy_obligation', 'an unknown obligation', { path: '/paint-it' }),
  call('policy_input_too_large', 'a large input', { path: `/${'a'.repeat(6000)}` }),
  call('entry_too_large', 'a long path under a long intent', (stage) => ({
    path: `/${'a'.repeat(7000)}`,
    grant: stage.grant({ intent: '\u0001'.repeat(750) }),
  })),
  call('lease_request_bytes', 'a longer body than policy allows', {
    path: '/ten-bytes-up',
    ...upload('12345678901'),
  }),
];

/** Where a call may lead. */
export const addressRows: readonly Row[] = [
  place('name_unresolved', 'no such name', () => 'http://nowhere.test'),
  place('name_timeout', 'a name that takes too long', () => 'http://slow.test'),
  place('address_forbidden', 'a private address', () => 'http://10.0.0.1'),
  place('address_forbidden', 'loopback on another port', ({ origin }) => `http://127.0.0.2:${origin.port}`),
  place('address_forbidden', 'a name that leads to metadata', () => 'http://metadata.test'),
  place('address_forbidden', 'one bad answer of two', () => 'http://mixed.test'),
  place('address_own', 'the forward port', ({ sidecar }) => `http://127.0.0.1:${sidecar.port('forward')}`),
  place('address_own', 'the admin port', ({ sidecar }) => `http://[::1]:${sidecar.port('admin')}`),
];

/** What ends a call that had been let out, before its answer began. */
export const leaseRows: readonly Row[] = [
  { ...call('lease_expired', 'its grant expires', (stage) => ({ path: '/silent', grant: stage.grant({ seconds: 2 }) })), permitted: true },
  { ...call('lease_seconds', 'by its grant', (stage) => ({ path: '/silent', grant: stage.grant({ entry: { max_seconds: 1 } }) })), permitted: true },
  { ...call('lease_seconds', 'by policy', { path: '/one-second' }), permitted: true },
  { ...call('agent_idle', 'a body that stops', { path: '/silent', ...chunked('2\r\nbo\r\n') }), permitted: true },
  { ...call('lease_request_bytes', 'in chunks', (stage) => ({ path: '/silent', ...chunked('5\r\n12345\r\n'), grant: stage.grant({ entry: { max_request_bytes: 4 } }) })), permitted: true },
  { ...call('trailers_unsupported', 'unannounced', { path: '/silent', ...chunked('1\r\nx\r\n0\r\nX-A: 1\r\n\r\n') }), permitted: true },
]; // prettier-ignore

function place(code: DenialCode, name: string, origin: (stage: Stage) => string): Row {
  return call(code, name, (stage) => {
    const location = origin(stage);
    return { target: `${location}/a`, grant: stage.grant({ entry: { locations: [location] } }) };
  });
}

/** The stage's own grant, signed by somebody else. */
function resigned(stage: Stage): string {
  const other = stage.forge((recipe) => (recipe.signer = stranger));
  return [...stage.good.split('.').slice(0, 2), ...other.split('.').slice(2)].join('.');
}
