import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseProof } from '../../src/lineage/proof.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { scratchFolder } from './scratch-folder.ts';
import { makeScratchLog } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

const CHILD = fileURLToPath(new URL('appending-process.ts', import.meta.url));
const ROUNDS = 20;

interface Acknowledged {
  readonly seq: number;
  readonly path: string;
}

/** Starts a writer, kills it after some acknowledgements, and gives all that it printed. */
async function killedAfter(home: string, tag: string, count: number): Promise<readonly Acknowledged[]> {
  const child: ChildProcess = spawn(process.execPath, [CHILD, home, tag], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const acknowledged: Acknowledged[] = [];
  if (!child.stdout) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.endsWith('}')) acknowledged.push(JSON.parse(line) as Acknowledged);
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  await ended;
  return acknowledged;
}

function pathsOf(log: ScratchLog): ReadonlyMap<number, string> {
  const paths = new Map<number, string>();
  for (const { seq, bytes } of readEntries(log.layout.segments))
    paths.set(seq, /"path":"([^"]*)"/.exec(Buffer.from(bytes).toString())?.[1] ?? '');
  return paths;
}

t.setTimeout(300_000);

t.test('what was acknowledged before kill -9 is there after it', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const acknowledged = new Map<number, string>();
  let last = '';
  for (let round = 0; round < ROUNDS; round++) {
    const before = acknowledged.size;
    for (const { seq, path } of await killedAfter(
      log.home,
      `r${round}`,
      1 + Math.floor(Math.random() * 400),
    )) {
      if (acknowledged.has(seq)) t.fail(`entry ${seq} was acknowledged twice`);
      acknowledged.set(seq, path);
    }
    t.ok(acknowledged.size > before, `round ${round}: ${acknowledged.size - before} acknowledged`);
    const lineage = await openLineage({ home: log.home, deadlineMs: 5000 });
    last = await lineage.checkpoint();
    t.equal(parseProof((await lineage.proof(0)) ?? '')?.checkpoint, last);
    await lineage.close();
    const found = pathsOf(log);
    for (const [seq, path] of acknowledged) if (found.get(seq) !== path) t.fail(`entry ${seq} is lost`);
    t.match(verifyLog({ layout: log.layout, logKey: log.identity.logKey }), { ok: true, torn: 0 });
  }
  t.match(last, /\n\d+\n/);
});
