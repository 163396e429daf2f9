/**
 * Room on the log's disk, in levels: an alarm comes long before permits stop, and permits stop while there is still room
 * for the denials that say so, and for what closes the permits that run. A disk that others fill faster than this looks
 * fails the write itself, and that ends the log.
 */
import { statfsSync } from 'node:fs';

/**
 * `ample`; `scarce`: an operator should look; `denials`: no permits any more; `none`: only what closes a permit, and
 * what the operator does.
 */
export type Room = 'ample' | 'scarce' | 'denials' | 'none';

/** Free bytes below which each level begins. */
export interface SpaceRules {
  readonly alarmBytes: number;
  readonly permitBytes: number;
  readonly denialBytes: number;
}

/** Levels that no disk can reach. */
export const ANY_ROOM: SpaceRules = { alarmBytes: 0, permitBytes: 0, denialBytes: 0 };

/** Segments, tiles and the checkpoint are files: without inodes there is no next one. */
const PERMIT_FILES = 64;
const DENIAL_FILES = 16;
const LOOK_MS = 250;

/** Looks at the disk now and then: one `statfs` a quarter of a second, or more where much was written. */
export class Space {
  readonly #directory: string;
  readonly #rules: SpaceRules;
  readonly #monotonic: () => number;
  #room: Room = 'ample';
  #looked = -Infinity;
  #written = 0;

  /** `monotonic` is in milliseconds. */
  constructor(directory: string, rules: SpaceRules, monotonic: () => number) {
    this.#directory = directory;
    this.#rules = rules;
    this.#monotonic = monotonic;
  }

  /** So many bytes went to the disk. */
  wrote(bytes: number): void {
    this.#written += bytes;
  }

  /** The room there is, seen at most a quarter of a second ago. */
  room(): Room {
    const now = this.#monotonic();
    if (now - this.#looked < LOOK_MS && this.#written < this.#rules.denialBytes / 4) return this.#room;
    this.#looked = now;
    this.#written = 0;
    return (this.#room = roomIn(this.#directory, this.#rules));
  }
}

/** The room in a directory's file system now; none where it cannot be seen. */
export function roomIn(directory: string, { alarmBytes, permitBytes, denialBytes }: SpaceRules): Room {
  const seen = look(directory);
  if (!seen || seen.free < denialBytes || seen.files < DENIAL_FILES) return 'none';
  if (seen.free < permitBytes || seen.files < PERMIT_FILES) return 'denials';
  return seen.free < alarmBytes ? 'scarce' : 'ample';
}

function look(directory: string): { readonly free: number; readonly files: number } | undefined {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(directory);
    return { free: bavail * bsize, files: files === 0 ? Infinity : ffree }; // btrfs counts none
  } catch {
    return undefined;
  }
}
