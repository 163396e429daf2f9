/** `node test/crash/kill-many.ts [rounds] [seed]`: kills a sidecar under load so often, and tells what held. */
import { KillRounds, seeded } from './kill-rounds.ts';

const rounds = Number(process.argv[2] ?? 300);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const teardowns: (() => unknown)[] = [];
let broken = 0;

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

function tellViolations(found: readonly string[]): void {
  broken += found.length;
  for (const violation of found.slice(0, 20)) tell(`   VIOLATION ${violation}`);
}

tell(`${rounds} rounds, seed ${seed}`);
try {
  const stage = await KillRounds.prepare({ teardown: (then) => teardowns.push(then) }, seeded(seed));
  for (let i = 1; i <= rounds; i++) {
    const { violations, answered, entries, open, torn, startKilled } = await stage.round();
    const recovery = startKilled ? ', its start was killed before' : '';
    tell(
      `${i}: ${answered} answered, ${entries} entries, ${open} permits open, ${torn} bytes torn${recovery}`,
    );
    tellViolations(violations);
  }
  tellViolations(await stage.finish());
  tell(`${stage.late} calls were made again, because policy had no time for them`);
} finally {
  for (const then of teardowns.reverse()) await then();
}
tell(broken === 0 ? 'all held' : `${broken} violations`);
process.exitCode = broken === 0 ? 0 : 1;
