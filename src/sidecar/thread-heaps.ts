/** How large the young generations of our threads may grow. */
import { setFlagsFromString } from 'node:v8';

/** V8's semi-space, in MiB: what threads make lives for microseconds, and more of it would only be memory. */
const THREAD_SEMI_SPACE = 1;

/**
 * For threads that start from here on. V8 reads the flag when it makes a heap: main has had its own by what the process
 * was started with, and that flag would overrule `resourceLimits` of a thread.
 */
export function keepThreadHeapsSmall(): void {
  setFlagsFromString(`--max-semi-space-size=${THREAD_SEMI_SPACE}`);
}
