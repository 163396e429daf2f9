/** The calls that the program of each language makes, and what must hold of what it heard. */
import type { Test } from 'tap';
import { assertPermitted, assertPieces, assertReached, assertRefused, QUESTION } from './stage.ts';
import type { Stage } from './stage.ts';
import { answer, talk } from './talk.ts';
import { assertWay } from './ways.ts';
import type { Way } from './ways.ts';

/** One program, told its way in. */
export interface Calls {
  readonly way: Way;
  /** Behind it come the site's URL, and those of tunnels that are refused. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What it says of a tunnel that was refused. */
  readonly refusal: RegExp;
  /** What its answers came over, as it names it. */
  readonly version?: string | undefined;
}

/** A permitted call whole, a streamed one piece by piece, a denied one with its proof; and nothing else at the site. */
export async function assertCalls(
  t: Test,
  stage: Stage,
  { way, command, env, refusal, version }: Calls,
): Promise<void> {
  const { home, site } = stage;
  const [from, entries] = [site.seen.length, home.entries().length];
  const pieces: string[] = [];
  const heard = await talk([...command, way.url, ...way.elsewhere], env, ({ piece }) => {
    if (piece === undefined) return;
    pieces.push(piece);
    site.advance();
  });
  await assertPermitted(t, home, answer(heard, 'echo'), QUESTION);
  assertPieces(t, pieces);
  assertRefused(t, home, { ...answer(heard, 'denied'), code: 'scope_path' });
  if (version) t.match(heard.get('echo'), { version }, 'the version');
  if (way.elsewhere.length > 0) {
    t.match(heard.get('refused')?.fault, refusal, 'a refused tunnel is a fault');
    const denial = home.entries(entries).find(({ is }) => is['code'] === 'scope_location');
    t.match(denial?.is, { verdict: 'deny', grant: { sub: 'agent:test' } }, 'and on record, with who asked');
  }
  assertWay(t, home, way, entries);
  assertReached(t, { ...site, seen: site.seen.slice(from) }, ['POST /echo', 'GET /pieces']);
}
