/** `writ lineage show --follow`: entries as they come. */
import { watch } from 'node:fs';
import { once } from 'node:events';
import { readFound } from './search.ts';
import type { ReadEntry, Search } from './search.ts';

/** What comes within so many milliseconds is read at once. */
const SETTLE_MS = 100;
/** Some file systems tell nobody of a change. */
const LOOK_MS = 2000;
/** An entry is on disk a little after the time that stands in it. */
const SLACK_MS = 5000;
const PAGE = 1000;

/**
 * Prints what passes the filter from entry `next` on, a whole batch at a time, until SIGINT or SIGTERM, or until the
 * filter's `until` has passed: then nothing can come any more.
 */
export async function follow(search: Search, next: number, print: (entry: ReadEntry) => void): Promise<void> {
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const ended = Promise.withResolvers<void>();
  const end = (search.filter.until ?? Infinity) + SLACK_MS;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    timer = undefined;
    const isLast = Date.now() >= end;
    try {
      next = printNew(search, next, print);
      if (isLast) ended.resolve();
    } catch (cause) {
      ended.reject(cause instanceof Error ? cause : new Error(String(cause)));
    }
  };
  const lookSoon = (): void => void (timer ??= setTimeout(look, SETTLE_MS));
  const unwatch = watchFolder(search.layout.segments, lookSoon);
  const regularly = setInterval(lookSoon, LOOK_MS);
  try {
    lookSoon();
    await Promise.race([stopped, ended.promise]);
  } finally {
    unwatch();
    clearInterval(regularly);
    clearTimeout(timer);
  }
}

/** Calls back at once where the system tells of a change. It need not: it may have no watch left to give. */
function watchFolder(folder: string, onChange: () => void): () => void {
  try {
    const watcher = watch(folder, onChange).on('error', () => undefined);
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}

/** The entry to go on from. */
function printNew(search: Search, from: number, print: (entry: ReadEntry) => void): number {
  const { catalogue, filter } = search;
  const size = catalogue.refresh();
  let next = from;
  for (;;) {
    const page = catalogue.find(filter, { from: next, limit: PAGE });
    for (const found of page) {
      const entry = readFound(search, found);
      if (entry) print(entry);
    }
    const last = page.at(-1);
    if (!last || page.length < PAGE) return Math.max(size, next);
    next = last.seq + 1;
  }
}
