/** A system that has no watches of files left to give (inotify(7)), for one program and what it starts. */
import { spawnSync } from 'node:child_process';

const NONE = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$0" "$@"';

/** What to put before the program. */
export const UNWATCHED = ['unshare', '--map-root-user', 'sh', '-c', NONE];

/** False, or the words that skip a test where nobody may take the watches away. */
export const cannotUnwatch =
  spawnSync('unshare', [...UNWATCHED.slice(1), 'true']).status === 0
    ? false
    : 'nobody may lower a limit here';
