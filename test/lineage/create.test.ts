import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import type { CreateAnswer, CreateOrder } from './create-process.ts';
import { scratchFolder } from './scratch-folder.ts';

const ROUNDS = 50;
const THREADS = 2;
/** Longer than it takes to make a log where syncing costs nothing. */
const MOST_PAUSE_US = 6000;

t.test('of two that make one log at once, one does; the other finds it, or finds it locked', async (t) => {
  const folder = scratchFolder(t);
  const workers = Array.from(
    { length: THREADS },
    () => new Worker(new URL('create-process.ts', import.meta.url)),
  );
  t.teardown(() => Promise.all(workers.map((worker) => worker.terminate())));
  const wrong: object[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const home = join(folder, String(round));
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const answers = await Promise.all(
      workers.map(async (worker, i): Promise<CreateAnswer> => {
        const pause = i * ((round * MOST_PAUSE_US) / ROUNDS);
        worker.postMessage({ home, gate, threads: THREADS, pause } satisfies CreateOrder);
        const [answer] = (await once(worker, 'message')) as [CreateAnswer]; // the one thing that it says
        return answer;
      }),
    );
    const { origin } = readIdentity(layoutOf(home));
    const made = answers.filter(({ created }) => created);
    const rest = answers.filter(({ created }) => !created);
    const isFine = ({ origin: found, code }: CreateAnswer): boolean =>
      found === origin || code === 'log_locked' || code === 'log_half_made';
    if (made.length !== 1 || made[0]?.origin !== origin || !rest.every(isFine))
      wrong.push({ origin, answers });
  }
  t.strictSame(wrong, [], 'no log was made anew over one that somebody had been told of');
});
