/** The thread that brings the snapshot of use counts up to date, once. Wiring only. */
import { workerData } from 'node:worker_threads';
import { systemClock } from '../config/system.ts';
import { keepCounts } from '../sidecar/recount.ts';
import type { UseKeeperData } from '../sidecar/use-keeper.ts';

const { home } = workerData as UseKeeperData; // UseKeeper passes it

keepCounts(home, systemClock.wall);
