/** A thread that scans segments, one after the other. Wiring only. */
import { parentPort } from 'node:worker_threads';
import { SegmentScanner } from '../lineage/scan.ts';
import type { ScanAnswer } from '../lineage/scan-crew.ts';
import type { ScanJob } from '../lineage/scanned.ts';

if (!parentPort) throw new Error('thread/scan is a worker');
const port = parentPort;
const scanner = new SegmentScanner();
port.on('message', (job: ScanJob) => {
  const scan = scanner.scan(job);
  port.postMessage({ scan } satisfies ScanAnswer, scan ? [scan.hashes.buffer] : []);
});
