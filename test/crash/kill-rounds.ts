/** One home, one origin, and a sidecar that is killed again and again while agents call through it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import { makeHome } from '../e2e/home.ts';
import type { Teardown, TestHome } from '../e2e/home.ts';
import { checkLog } from './checker.ts';
import type { CheckedLog } from './checker.ts';
import { call, countingOrigin, Load } from './load.ts';
import type { Answer, CountingOrigin } from './load.ts';
import { recoveryViolations, violations } from './violations.ts';

/** What one round showed. */
export interface Round {
  /** None where all held. */
  readonly violations: readonly string[];
  readonly answered: number;
  /** Entries in the log after the kill. */
  readonly entries: number;
  /** Permits that the kill left without an outcome. */
  readonly open: number;
  /** Bytes that the kill left after the last whole batch. */
  readonly torn: number;
  /** Whether the start before this round was killed too, once. */
  readonly startKilled: boolean;
}

const CALLERS = 32;
const MAX_ANSWERS = 150;
const MAX_TRIES = 50;
const MAX_DELAY_MS = 20;
/** About the time that a start takes, so that the kill falls into it anywhere. */
const MAX_START_MS = 1200;
const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

/** The stage of all rounds. */
export class KillRounds {
  readonly home: TestHome;
  readonly #t: Teardown;
  readonly #origin: CountingOrigin;
  readonly #random: (below: number) => number;
  readonly #answers: Answer[] = [];
  /** Calls of the last round that had a grant for one use. */
  #once: ReadonlyMap<string, string> = new Map();
  #before: CheckedLog | undefined;
  #count = 0;
  /** Calls that policy had no time for. */
  late = 0;

  private constructor(
    t: Teardown,
    home: TestHome,
    stage: { origin: CountingOrigin; random: (below: number) => number },
  ) {
    this.#t = t;
    this.home = home;
    this.#origin = stage.origin;
    this.#random = stage.random;
  }

  /** A fresh home with the smallest segments there are, so that kills also fall between them (P12). */
  static async prepare(t: Teardown, random: (below: number) => number): Promise<KillRounds> {
    const origin = await countingOrigin(t);
    const settings = {
      lineage: { segment_bytes: 65_536 },
      denial: { recorded_burst: 1_000_000_000 },
      log: { level: 'info' },
    };
    const home = await makeHome(t, { origins: [origin], settings });
    return new KillRounds(t, home, { origin, random });
  }

  /** Starts, loads, kills and looks. */
  async round(): Promise<Round> {
    const startKilled = this.#random(4) === 0;
    if (startKilled) await this.#killStart();
    const sidecar = await ChildSidecar.start(this.#t, this.home);
    const found = sidecar.lines.some(({ msg, ['ready']: ready }) => msg === 'listening' && ready === true)
      ? []
      : ['not ready again'];
    found.push(...this.#recovered(), ...(await this.#tryAgain(sidecar)));
    const load = new Load({
      home: this.home,
      origin: this.#origin,
      port: sidecar.port('forward'),
      callers: CALLERS,
      name: `${this.#count++}`,
    });
    await load.answered(1 + this.#random(MAX_ANSWERS));
    await delay(this.#random(MAX_DELAY_MS)); // so that the kill does not always follow an answer
    await sidecar.kill();
    await load.stop();
    this.#once = load.once;
    this.#answers.push(...load.answers);
    return { ...this.#look(found), answered: load.answers.length, startKilled };
  }

  /** Starts once more, tries what was used up, and stops in peace. */
  async finish(): Promise<readonly string[]> {
    const sidecar = await ChildSidecar.start(this.#t, this.home);
    const found = [...this.#recovered(), ...(await this.#tryAgain(sidecar))];
    const { code } = await sidecar.stop();
    return [
      ...found,
      ...(code === 0 ? [] : [`the last stop ended with ${code}`]),
      ...this.#look([]).violations,
    ];
  }

  /** Recovery itself may be killed at any time (P7). */
  async #killStart(): Promise<void> {
    const args = [BIN, 'serve', '--config', this.home.settingsFile];
    const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'] }, stdio: 'ignore' });
    const exited = once(child, 'exit');
    await delay(this.#random(MAX_START_MS));
    child.kill('SIGKILL');
    await exited;
  }

  /** What the start made of what the kill left (P3, P5, P7). */
  #recovered(): readonly string[] {
    return this.#before ? recoveryViolations(this.home.path, this.#before, this.#check()) : [];
  }

  /** Every single-use grant of the last round, once more: what was permitted before stays spent. */
  async #tryAgain(sidecar: ChildSidecar): Promise<readonly string[]> {
    const port = sidecar.port('forward');
    const spent = new Set(
      this.#check().entries.flatMap(({ is }) => (is.verdict === 'permit' ? [is.call?.path] : [])),
    );
    const tried = await Promise.all(
      [...this.#once].map(async ([path, token]) => {
        const answered = await this.#decided({ port, url: this.#origin.url + path, token });
        const expected = spent.has(path) ? 'grant_used_up' : 'permitted';
        return answered === expected ? [] : [`${path} again: ${answered}, not ${expected}`];
      }),
    );
    this.#once = new Map();
    const found = tried.flat();
    const complaints = sidecar.lines.filter(({ level }) => level === 'warn' || level === 'error');
    return found.length === 0 ? [] : [...found, `the sidecar said ${JSON.stringify(complaints.slice(0, 5))}`];
  }

  /** What became of a call. One that policy had no time for was not charged, and may be made again; a busy machine has many. */
  async #decided(given: Parameters<typeof call>[0]): Promise<string> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const answer = await call(given);
      if (!answer) return 'not answered';
      this.#answers.push(answer);
      const { status, code = `${status}` } = answer;
      if (code !== 'policy_timeout') return status === 200 ? 'permitted' : code;
      this.late++;
    }
    return 'policy_timeout';
  }

  #look(found: readonly string[]): Omit<Round, 'answered' | 'startKilled'> {
    const log = this.#check();
    const earlier = this.#before?.entries.map(({ text }) => text) ?? [];
    const seen = { arrived: this.#origin.paths, answers: this.#answers, earlier };
    const all = [...found, ...violations(log, seen), ...this.#ownVerdict(log)];
    this.#before = log;
    const closed = new Set(log.entries.flatMap(({ type, is }) => (type === 'outcome' ? [is.permit] : [])));
    const open = log.entries.filter(({ seq, is }) => is.verdict === 'permit' && !closed.has(seq)).length;
    return { violations: all, entries: log.entries.length, open, torn: log.torn };
  }

  #check(): CheckedLog {
    return checkLog(this.home.path, this.home.origin);
  }

  /** P11: what the sidecar's own verifier says must be what the checker says. */
  #ownVerdict({ entries, roots, torn }: CheckedLog): readonly string[] {
    const layout = layoutOf(this.home.path);
    const own = verifyLog({ layout, logKey: readIdentity(layout).logKey });
    if (!own.ok) return [`the log does not verify: ${own.message}`];
    const root = Buffer.from(own.root, 'hex').toString('base64');
    const same = own.size === entries.length && root === roots.get(own.size) && own.torn === torn;
    return same ? [] : ['the two verifiers do not see the same log'];
  }
}

/** Numbers below a bound, the same ones for the same seed (mulberry32). */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
