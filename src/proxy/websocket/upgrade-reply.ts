/** An upstream's 101: whether it is the answer to this handshake (RFC 6455 §4.1), and what of it the agent is sent. */
import { createHash } from 'node:crypto';
import type { Call } from '../../call/call.ts';
import { readHeaders } from '../../call/headers.ts';
import type { HeaderSection } from '../../call/headers.ts';
import { connectionOptions } from '../../call/hop-by-hop.ts';
import { multimap } from '../../call/multimap.ts';
import { cleanResponseHeaders } from '../../call/response.ts';

/** The head for the agent, or why the upstream is not believed. */
export type SwitchingHead =
  | {
      readonly ok: true;
      /** Lower-case name → values. */
      readonly headers: Readonly<Record<string, string[]>>;
      /** An extension was agreed on, so that frames may look different. */
      readonly extended: boolean;
    }
  | { readonly ok: false; readonly fault: string };

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The head of a 101 (`raw`: name, value, … as latin1, attacker-controlled), with the permit's mark. */
export function switchingHead(call: Call, raw: readonly string[], mark: string): SwitchingHead {
  const clean = cleanResponseHeaders(raw);
  if (!clean.ok) return clean;
  if (clean.framing.kind !== 'none') return { ok: false, fault: 'a 101 with a body' };
  const section = readHeaders(raw);
  if (!section.ok) return { ok: false, fault: section.code };
  const key = valueOf(call, 'sec-websocket-key') ?? '';
  const fault =
    otherProtocol(section.value) ?? otherAccept(section.value, key) ?? notOffered(section.value, call);
  if (fault !== undefined) return { ok: false, fault };
  const headers = Object.assign(multimap(clean.headers), {
    connection: ['Upgrade'],
    upgrade: ['websocket'],
    'writ-decision': [mark],
  });
  return { ok: true, headers, extended: section.value.values.has('sec-websocket-extensions') };
}

/** RFC 6455 §4.1, items 2 and 3 of the response. */
function otherProtocol({ values }: HeaderSection): string | undefined {
  const upgrade = values.get('upgrade') ?? [];
  const listed = connectionOptions(values.get('connection')).has('upgrade');
  return upgrade.length === 1 && upgrade[0]?.toLowerCase() === 'websocket' && listed
    ? undefined
    : 'a 101 to another protocol';
}

/** RFC 6455 §4.1, item 4: only who has read this handshake can know the answer. */
function otherAccept({ values }: HeaderSection, key: string): string | undefined {
  const accept = values.get('sec-websocket-accept') ?? [];
  const expected = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  return accept.length === 1 && accept[0] === expected ? undefined : 'a wrong Sec-WebSocket-Accept';
}

/** RFC 6455 §4.1, items 5 and 6: neither a protocol nor an extension that the agent did not offer. */
function notOffered({ values }: HeaderSection, call: Call): string | undefined {
  const protocol = values.get('sec-websocket-protocol') ?? [];
  const offered = listOf(valueOf(call, 'sec-websocket-protocol'));
  if (protocol.length > 1 || protocol.some((each) => !offered.includes(each)))
    return 'a protocol that was not offered';
  const extensions = (values.get('sec-websocket-extensions') ?? []).flatMap(extensionNames);
  const wanted = call.headers.flatMap(([name, value]) =>
    name === 'sec-websocket-extensions' ? extensionNames(value) : [],
  );
  return extensions.some((each) => !wanted.includes(each)) ? 'an extension that was not offered' : undefined;
}

/** Names without their parameters. A quoted comma would split wrongly, and then no name of it was offered. */
function extensionNames(value: string): readonly string[] {
  return listOf(value).map((each) => each.replace(/;.*$/, '').trim());
}

function listOf(value: string | undefined): readonly string[] {
  return (value ?? '').split(',').map((each) => each.trim());
}

function valueOf({ headers }: Call, wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1];
}
