/** Plays cases on a carrier, many at once, and judges what came of each. */
import type { Test } from 'tap';
import { assertDenied } from '../e2e/denied.ts';
import { denials } from '../../src/denial/table.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { audit } from './audit.ts';
import type { Carrier } from './carriers.ts';
import { nameOf } from './heard.ts';
import type { Heard } from './heard.ts';
import { faultsOf, titleOf } from './judge.ts';
import type { Played } from './judge.ts';
import { expectedOf, SMUGGLED } from './row.ts';
import type { Answer, CarrierName, Case, LetOut } from './row.ts';

/** So many cases are played side by side. */
const AT_ONCE = 100;

/** Plays one case, with a grant for this `sub`. */
export type Play<Row> = (carrier: Carrier, row: Row, agent: string) => Promise<Played>;

/** Plays every row that makes sense there; afterwards log and origin agree on every request. */
export async function playRows<Row extends Case>(
  t: Test,
  carrier: Carrier,
  { rows, play }: { readonly rows: readonly Row[]; readonly play: Play<Row> },
): Promise<void> {
  const cases = rows.filter((row) => expectedOf(row, carrier.name) !== null);
  const played = await inParallel(AT_ONCE, cases, (row, i) => play(carrier, row, `agent:${i}`));
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

/** A case's text with everything that only its run can know. */
export function fillIn(text: string, carrier: Carrier, grant: string): string {
  const { base, scheme, host, origin } = carrier;
  const smuggled = text === SMUGGLED ? '' : fillIn(SMUGGLED, carrier, grant);
  return text
    .replaceAll('{base}', base)
    .replaceAll('{scheme}', scheme)
    .replaceAll('{otherScheme}', scheme === 'https' ? 'http' : 'https')
    .replaceAll('{HOST}', host.toUpperCase())
    .replaceAll('{host}', host)
    .replaceAll('{port}', String(origin.port))
    .replaceAll('{grant}', grant)
    .replace(/\{(length|length16)\}/g, (_, name) => smuggled.length.toString(name === 'length' ? 10 : 16));
}

/** What a case's answers must be there. */
export function answersOf(
  row: Case,
  carrier: CarrierName,
  fill: (text: string) => string,
): readonly Answer[] {
  const given = (answer: LetOut): LetOut => ({
    ...answer,
    permit: fill(answer.permit),
    ...(answer.trailers && { trailers: answer.trailers.map(fill) }),
  });
  const expected = [expectedOf(row, carrier) ?? []].flat();
  return expected.map((answer) => (typeof answer === 'object' ? given(answer) : answer));
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
