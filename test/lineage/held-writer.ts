/** A writer thread that blocks, as on a hung disk, until it is let go: then it answers. Entry file of a worker. */
import { parentPort, workerData } from 'node:worker_threads';
import { TEXTS_PER_DRAFT } from '../../src/lineage/writer/protocol.ts';
import type { Turn, WriterMessage } from '../../src/lineage/writer/protocol.ts';

const { gate } = workerData as { gate: Int32Array };
let size = 1;
parentPort?.on('message', (turn: Turn) => {
  Atomics.wait(gate, 0, 0);
  if (Atomics.load(gate, 0) === 2) throw new Error('the disk is gone');
  const first = size;
  size += turn.texts.length / TEXTS_PER_DRAFT;
  const answers = [{ first, evidence: [], answers: turn.asks.map(() => ({ text: 'answered' })) }];
  const standing = { failure: undefined, head: 'head', size, room: 'ample' } as const;
  parentPort?.postMessage({ ...standing, answers } satisfies WriterMessage);
  if (!turn.close) return;
  parentPort?.postMessage({ ...standing, answers: [], closed: true } satisfies WriterMessage);
  parentPort?.close();
});
