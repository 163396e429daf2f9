/** The lineage writer's thread: joins keys, clock, lock, store and the port to main. Wiring only. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../config/system.ts';
import { LogFault, systemFault } from '../lineage/fault.ts';
import { checkComplete, readIdentity, readLogKeys } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { LogLayout } from '../lineage/layout.ts';
import { lockLog } from '../lineage/lock.ts';
import type { LogLock } from '../lineage/lock.ts';
import { signHead } from '../lineage/seal.ts';
import type { Seal } from '../lineage/seal.ts';
import { Space } from '../lineage/space.ts';
import { Store } from '../lineage/store.ts';
import type { Turn, WriterData, WriterReady } from '../lineage/writer/protocol.ts';
import { LogWriter } from '../lineage/writer/writer.ts';
import { signReceipt } from '../receipt/sign.ts';

interface OpenLog {
  readonly lock: LogLock;
  readonly store: Store;
  readonly seal: Seal;
  readonly space: Space;
  readonly origin: string;
}

function openLog(data: WriterData): OpenLog {
  const layout = layoutOf(data.home);
  checkComplete(layout);
  const lock = lockLog(layout);
  try {
    return { lock, ...openLocked(layout, data) };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}

function openLocked(
  layout: LogLayout,
  { name, segmentBytes, segmentSeconds, ...data }: WriterData,
): Omit<OpenLog, 'lock'> {
  const identity = readIdentity(layout);
  const { origin, logKey } = identity;
  if (name !== undefined && origin.slice(0, origin.lastIndexOf('/')) !== name)
    throw new LogFault(
      'log_name_mismatch',
      `The log is ${origin}, but the settings name ${name}. Correct the setting.`,
    );
  const keys = readLogKeys(layout, identity);
  const seal: Seal = {
    head: (head) => signHead(keys.log, logKey, head),
    receipt: (statement) => signReceipt(keys.receipt, statement),
  };
  const store = new Store({ layout, logKey, seal, segmentBytes, segmentSeconds, clock: systemClock.wall });
  const space = new Space(layout.directory, data.space, () => performance.now());
  return { store, seal, space, origin };
}

function faultOf(cause: unknown): WriterReady {
  const { code, message, index } = cause instanceof LogFault ? cause : systemFault(cause);
  return { ready: false, code, message, index };
}

/** Everything that waits, so that it shares one write and one sync. */
function waitingTurns(port: MessagePort, first: Turn): readonly Turn[] {
  const turns = [first];
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
    turns.push(next.message as Turn); // only WriterClient posts here
  return turns;
}

function serve(port: MessagePort, { lock, store, seal, space }: OpenLog, vouchMs: number): void {
  const writer = new LogWriter(store, seal, space);
  const vouching = setInterval(() => {
    const news = writer.vouch();
    if (news) port.postMessage(news);
  }, vouchMs);
  port.on('message', (first: Turn) => {
    const turns = waitingTurns(port, first);
    for (const message of writer.answer(turns)) port.postMessage(message);
    if (!turns.at(-1)?.close) return;
    clearInterval(vouching);
    const last = writer.close();
    lock.release();
    port.postMessage(last);
    port.close();
  });
}

function run(port: MessagePort, data: WriterData): void {
  try {
    const log = openLog(data);
    port.postMessage({
      ready: true,
      origin: log.origin,
      head: log.store.head,
      size: log.store.size,
      room: log.space.room(),
    } satisfies WriterReady);
    serve(port, log, data.vouchMs);
  } catch (cause) {
    port.postMessage(faultOf(cause));
  }
}

if (parentPort) run(parentPort, workerData as WriterData); // openLineage passes it
