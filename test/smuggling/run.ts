/** Plays cases on a carrier, many at once, and judges what came of each. */
import type { Test } from 'tap';
import { assertDenied } from '../e2e/denied.ts';
import { denials } from '../../src/denial/table.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { audit } from './audit.ts';
import { startCarrier } from './carriers.ts';
import type { Carrier } from './carriers.ts';
import { families, playedOn } from './grid.ts';
import { nameOf } from './heard.ts';
import type { Heard } from './heard.ts';
import type { Http2Row } from './http2-row.ts';
import { faultsOf, titleOf } from './judge.ts';
import type { Played } from './judge.ts';
import { playHttp1 } from './play-http1.ts';
import { playHttp2 } from './play-http2.ts';
import type { CarrierName, Row } from './row.ts';

/** So many cases are played side by side. */
const AT_ONCE = 100;

/** Plays every case of the grid that makes sense there; afterwards log and origin agree on every request. */
export async function playAll(t: Test, name: CarrierName): Promise<void> {
  const carrier = await startCarrier(t, name);
  const cases = families.flatMap((family) => playedOn(family, name));
  const played = await inParallel(AT_ONCE, cases, (row, i) => playOne(carrier, row, `agent:${i}`));
  assertVerified(t, carrier, played);
  await carrier.sidecar.stop();
  const { letOut, faults } = audit(carrier.home, carrier.origin.received);
  t.strictSame(carrier.origin.dirty, [], 'the origin received nothing but requests');
  t.strictSame(faults, [], 'each of them is what one permit says, once');
  const byAgent = Map.groupBy(letOut, ({ agent }) => agent);
  for (const one of played)
    t.strictSame(faultsOf(one, byAgent.get(one.agent) ?? []), [], `${one.name}: ${titleOf(one.wanted)}`);
  t.comment(`${carrier.name}: ${played.length} cases, ${letOut.length} requests let out`);
}

/** Plays one case, with a grant for this `sub`: octets are of HTTP/1, fields of HTTP/2. */
function playOne(carrier: Carrier, row: Row | Http2Row, agent: string): Promise<Played> {
  return isOctets(row) ? playHttp1(carrier, row, agent) : playHttp2(carrier, row, agent);
}

function isOctets(row: Row | Http2Row): row is Row {
  return typeof row[1] === 'string';
}

/** What becomes of each item, in no particular order, with at most so many under way. */
async function inParallel<T, U>(
  most: number,
  items: readonly T[],
  one: (item: T, i: number) => Promise<U>,
): Promise<readonly U[]> {
  const waiting = items.entries();
  const done: U[] = [];
  const work = async (): Promise<void> => {
    for (const [i, item] of waiting) done.push(await one(item, i));
  };
  await Promise.all(Array.from({ length: most }, work));
  return done;
}

/** One denial of each code, with everything that must hold of it. */
function assertVerified(t: Test, { home }: Carrier, played: readonly Played[]): void {
  const codes = new Map<DenialCode, Heard>();
  for (const reply of played.flatMap(({ heard }) => heard)) {
    const code = nameOf(reply);
    if (isCode(code) && reply.body !== '') codes.set(code, reply);
  }
  for (const [code, { status, headers, body: latin1 }] of codes) {
    const body = Buffer.from(latin1, 'latin1').toString('utf8');
    assertDenied(t, home, { reply: { status, headers, body, closed: true }, code, status });
  }
}

function isCode(text: string): text is DenialCode {
  return text in denials;
}
