/** Plays cases on a carrier, many at once, and judges what came of each. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Test } from 'tap';
import { assertDenied } from '../e2e/denied.ts';
import { denials } from '../../src/denial/table.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { audit } from './audit.ts';
import type { Carrier } from './carriers.ts';
import { nameOf, readReplies } from './heard.ts';
import type { Heard } from './heard.ts';
import { faultsOf, titleOf } from './judge.ts';
import type { Played, Wanted } from './judge.ts';
import { request, SMUGGLED } from './row.ts';
import type { Answer, CarrierName, Expected, Row } from './row.ts';

/** So many cases are played side by side. */
export const AT_ONCE = 100;
/** By then something hangs. */
const HANG_MS = 60_000;

const LAST = request('GET', '/last', ['Connection: close']);
const CANARY = request('GET', '/canary', ['Connection: close']);

/** Plays every row that makes sense there; afterwards log and origin agree on every request. */
export async function playRows(t: Test, carrier: Carrier, rows: readonly Row[]): Promise<void> {
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
export async function inParallel<T, U>(
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

async function play(carrier: Carrier, row: Row, agent: string): Promise<Played> {
  const [name, bytes, , { ending, bodiless = false } = {}] = row;
  const grant = carrier.home.grant({ sub: agent });
  const fill = (text: string): string => fillIn(text, carrier, grant);
  const wanted = wantedOf(row, carrier.name, fill);
  const socket = await carrier.open(grant);
  const { heard, rest } = readReplies(
    await talk(socket, fill(ending ? bytes : bytes + LAST), ending === 'fin'),
    bodiless,
  );
  const canary = readReplies(await talk(await carrier.open(grant), fill(CANARY), false)).heard;
  return { name, agent, wanted, heard, rest, canary };
}

/** A case's text with everything that only its run can know. */
export function fillIn(text: string, carrier: Carrier, grant: string): string {
  const { base, host, origin } = carrier;
  const smuggled = text === SMUGGLED ? '' : fillIn(SMUGGLED, carrier, grant);
  return text
    .replaceAll('{base}', base)
    .replaceAll('{host}', host)
    .replaceAll('{port}', String(origin.port))
    .replaceAll('{grant}', grant)
    .replace(/\{(length|length16)\}/g, (_, name) => smuggled.length.toString(name === 'length' ? 10 : 16));
}

/** Sends octets, and hears everything until the other side closes. */
export async function talk(socket: Socket, latin1: string, fin: boolean): Promise<string> {
  let heard = '';
  const timer = setTimeout(() => {
    heard += '(it hangs)';
    socket.destroy();
  }, HANG_MS);
  socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
  if (fin) socket.end(latin1, 'latin1');
  else socket.write(latin1, 'latin1');
  if (!socket.closed) await once(socket, 'close');
  clearTimeout(timer);
  return heard;
}

function wantedOf(row: Row, carrier: CarrierName, fill: (text: string) => string): Wanted {
  const [, , , { ending, goesOn } = {}] = row;
  const answers = [expectedOf(row, carrier) ?? []]
    .flat()
    .map((answer) => (typeof answer === 'object' ? { ...answer, permit: fill(answer.permit) } : answer));
  const open = answers.length > 0 && (goesOn ?? answers.every(leavesOpen));
  return { answers, last: !ending && open };
}

function expectedOf([, , usual, { on = {} } = {}]: Row, carrier: CarrierName): Expected {
  const here = on[carrier];
  return here === undefined ? usual : here;
}

/** After a permit, and after a denial of a call that broke no rule, the connection goes on. */
function leavesOpen(answer: Answer): boolean {
  if (typeof answer === 'object') return answer.then !== 'cut';
  return /^(?:grant_(?!ambiguous)|scope_|policy_)/.test(String(answer));
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
