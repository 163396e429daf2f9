/**
 * A request to change the protocol (RFC 9110 §7.8): a WebSocket's opening handshake in exactly one form, or none; and one
 * form of asking for HTTP/2 that is not listened to.
 */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { Framing, Header, RawHead } from './call.ts';
import type { HeaderSection } from './headers.ts';
import { connectionOptions } from './hop-by-hop.ts';

/** What a connection may become. Every other protocol (`TLS/1.2` …) is refused: nobody here could limit it. */
export type Upgrade = 'websocket';

/** A handshake, as far as it was read. */
interface Handshake {
  readonly head: RawHead;
  readonly section: HeaderSection;
  readonly framing: Framing;
}

type Rule = (handshake: Handshake) => string | undefined;

/** Base64 (RFC 4648 §4) of exactly 16 bytes, in its one spelling. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
/** Base64url of settings of 6 bytes each (RFC 7540 §3.2.1, RFC 9113 §6.5.1). */
const SETTINGS = /^(?:[A-Za-z0-9_-]{8}){1,16}$/;
/** A list of `token` (RFC 6455 §4.1, item 10). */
const PROTOCOLS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/;

/** The protocol that a head asks for, in any case (RFC 6455 §4.2.1, item 3); undefined where it asks for none. */
export function readUpgrade(handshake: Handshake): Outcome<Upgrade | undefined> {
  const wanted = handshake.section.values.get('upgrade');
  if (!wanted || offersHttp2(handshake)) return pass(undefined);
  if (wanted.length > 1 || wanted[0]?.toLowerCase() !== 'websocket')
    return deny('upgrade_unsupported', JSON.stringify(wanted.join(', ')));
  return brokenHandshake(handshake) ?? pass('websocket');
}

/**
 * What some clients write over every request in the clear (RFC 7540 §3.2, which RFC 9113 gave up). It may be ignored
 * (RFC 9110 §7.8): the call stays one of HTTP/1.1, and none of the three fields, hop-by-hop as they are, goes further.
 */
function offersHttp2({ head: { method, version }, section }: Handshake): boolean {
  return (
    method !== 'CONNECT' &&
    version === '1.1' &&
    isOne(section, 'upgrade', /^h2c$/) &&
    isOne(section, 'connection', /^upgrade,[ \t]*http2-settings$/i) &&
    isOne(section, 'http2-settings', SETTINGS)
  );
}

/** The headers with those of one name together, at the place of the first: node:http sends them so. */
export function together(headers: readonly Header[]): readonly Header[] {
  const groups = Map.groupBy(headers, ([name]) => name);
  return [...groups.values()].flat();
}

/** RFC 6455 §4.2.1: the first rule that the handshake breaks. */
function brokenHandshake(handshake: Handshake): Refusal | undefined {
  for (const rule of rules) {
    const fault = rule(handshake);
    if (fault !== undefined) return deny('upgrade_invalid', fault);
  }
  return undefined;
}

/** RFC 6455 §4.1, items 1 and 2. In HTTP/2 there is no Upgrade (RFC 9113 §8.6), and RFC 8441 is not offered. */
const otherRequest: Rule = ({ head: { method, version } }) =>
  method === 'GET' && version === '1.1' ? undefined : `${method} in HTTP/${version}`;

/** RFC 6455 §4.1, item 6. node:http lets go of the connection under the same condition. */
const notListed: Rule = ({ section }) =>
  connectionOptions(section.values.get('connection')).has('upgrade')
    ? undefined
    : 'Connection without Upgrade';

/** A body would be read as frames by one side and as a body by the other. */
const withBody: Rule = ({ framing, section }) =>
  framing.kind === 'none' && !section.values.has('expect') ? undefined : 'a body';

/** RFC 6455 §4.1, item 9: the one version that was ever published. */
const otherVersion: Rule = ({ section }) =>
  isOne(section, 'sec-websocket-version', /^13$/) ? undefined : 'Sec-WebSocket-Version';

/** RFC 6455 §4.1, item 7. */
const strangeKey: Rule = ({ section }) =>
  isOne(section, 'sec-websocket-key', KEY) ? undefined : 'Sec-WebSocket-Key';

/** RFC 6455 §4.1, item 10. */
const strangeProtocols: Rule = ({ section }) =>
  !section.values.has('sec-websocket-protocol') || isOne(section, 'sec-websocket-protocol', PROTOCOLS)
    ? undefined
    : 'Sec-WebSocket-Protocol';

/** RFC 6455 §11.3.3: the server's header. */
const answersItself: Rule = ({ section }) =>
  section.values.has('sec-websocket-accept') ? 'Sec-WebSocket-Accept' : undefined;

/** RFC 6265 §5.4: one at most. node:http would send several as one, and the record would say otherwise. */
const severalCookies: Rule = ({ section }) =>
  (section.values.get('cookie')?.length ?? 0) > 1 ? 'more than one Cookie' : undefined;

const rules: readonly Rule[] = [
  otherRequest,
  notListed,
  withBody,
  otherVersion,
  strangeKey,
  strangeProtocols,
  answersItself,
  severalCookies,
];

function isOne({ values }: HeaderSection, name: string, shape: RegExp): boolean {
  const given = values.get(name) ?? [];
  return given.length === 1 && shape.test(given[0] ?? '');
}
