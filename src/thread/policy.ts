/** Worker: evaluates one policy bundle. Main kills it where an evaluation does not end. */
import { parentPort, workerData } from 'node:worker_threads';
import { decisionText } from '../policy/answer.ts';
import { Engine } from '../policy/engine.ts';
import { progressCells } from '../policy/thread-messages.ts';
import type { BatchOrder, Opening, ThreadAnswer, ThreadStart } from '../policy/thread-messages.ts';

if (!parentPort) throw new Error('thread/policy is a worker');
const port = parentPort;
const { bundle, limits, progress } = workerData as ThreadStart; // what pool threads are started with
const opened = Engine.open(bundle, limits);

if (opened.ok) {
  const { engine } = opened;
  port.on('message', (order: BatchOrder) => {
    port.postMessage(evaluateAll(engine, order));
  });
}
const opening: Opening = { fault: opened.ok ? null : opened.fault };
port.postMessage(opening);

function evaluateAll(engine: Engine, { number, inputs }: BatchOrder): readonly ThreadAnswer[] {
  Atomics.store(progress, progressCells.batch, number);
  return inputs.map((input, index) => {
    Atomics.store(progress, progressCells.position, index + 1);
    const answer = engine.evaluate(input);
    Atomics.store(progress, progressCells.position, 0);
    engine.renew(); // outside of the evaluation's deadline
    return answer.ok ? decisionText(answer.value) : { code: answer.code, detail: answer.detail };
  });
}
