/** `writ lineage replay`: recorded decisions, evaluated again. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Found } from '../../lineage/catalogue/catalogue.ts';
import { KeptInputs } from '../../lineage/inputs-read.ts';
import type { FoundInput } from '../../lineage/inputs-read.ts';
import { loadBundle } from '../../policy/bundle.ts';
import type { Bundle } from '../../policy/bundle.ts';
import { engineLimits } from '../../policy/engine.ts';
import { joinEvaluations } from '../../policy/joined.ts';
import { PolicyPool } from '../../policy/pool.ts';
import { compareAnswers, questionOf } from '../../policy/redecide.ts';
import type { RecordedQuestion, Redecided } from '../../policy/redecide.ts';
import { homeLayout } from '../../sidecar/home.ts';
import { EXIT, unable } from '../exit.ts';
import { readExportedInputs } from './replay-inputs.ts';
import type { ExportedInputs } from './replay-inputs.ts';
import { ReplayReport } from './replay-report.ts';
import { openSearch, readFound } from './search.ts';
import type { ReadEntry, Search } from './search.ts';

const PAGE = 256;
/** Nobody waits for these evaluations: a busy machine must not make a difference. */
const DEADLINE_MS = 10_000;

/** Evaluates every decision that passes the filter; exit 1 where one comes out differently. */
export async function replayDecisions(command: Command): Promise<void> {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const search = openSearch(command);
  process.exitCode = EXIT.unable; // until all of it was evaluated
  const { settings, catalogue, filter } = search;
  const engine = { ...engineLimits, inputBytes: settings.policy.max_input_bytes };
  const pool = new PolicyPool({ deadline: DEADLINE_MS, engine });
  try {
    const replay = new Replay(search, pool, {
      instead: typeof options['policy'] === 'string' ? await bundleIn(options['policy']) : undefined,
      exported:
        typeof options['inputs'] === 'string' ? await readExportedInputs(options['inputs']) : undefined,
    });
    const report = new ReplayReport(options['json'] === true);
    let page: readonly Found[];
    for (let from = 0; ; from = (page.at(-1)?.seq ?? 0) + 1) {
      page = catalogue.find({ ...filter, kind: 'decision' }, { from, limit: PAGE });
      const entries = page.flatMap((found) => readFound(search, found) ?? []);
      for (const [entry, redecided] of await replay.page(entries)) report.add(entry, redecided);
      if (page.length < PAGE) break;
    }
    process.exitCode = report.finish();
  } finally {
    catalogue.close();
    await pool.close();
  }
}

async function bundleIn(folder: string): Promise<Bundle> {
  const loaded = await loadBundle(folder);
  if (!loaded.ok) throw unable(loaded.fault, 'Build a folder of Rego with `writ policy build` first.');
  return loaded.bundle;
}

interface ReplayParts {
  /** The bundle to ask instead of the recorded ones. */
  readonly instead: Bundle | undefined;
  /** Where inputs are, besides the home. */
  readonly exported: ExportedInputs | undefined;
}

class Replay {
  readonly #parts: ReplayParts;
  readonly #pool: PolicyPool;
  readonly #policies: string;
  readonly #inputs: KeptInputs;
  /** Bundles that were looked for: why one cannot be used, or undefined where it can. */
  readonly #faults = new Map<string, string | undefined>();

  constructor({ settings, layout }: Search, pool: PolicyPool, parts: ReplayParts) {
    this.#parts = parts;
    this.#pool = pool;
    this.#policies = homeLayout(settings.home).policies;
    this.#inputs = new KeptInputs(layout.inputs);
  }

  /** Decisions for which a policy was asked, and what came of asking again. */
  async page(entries: readonly ReadEntry[]): Promise<readonly (readonly [ReadEntry, Redecided])[]> {
    const pending: Promise<readonly [ReadEntry, Redecided]>[] = [];
    for (const entry of entries) {
      const question = questionOf(entry.seq, entry.statement);
      if (!question) continue;
      const fault = await this.#activate(question);
      pending.push(this.#again(question, fault).then((redecided) => [entry, redecided] as const));
    }
    return Promise.all(pending);
  }

  async #again(question: RecordedQuestion, fault: string | undefined): Promise<Redecided> {
    const material = this.#material(question);
    if ('status' in material) return material;
    if (fault !== undefined) return { status: 'material missing', why: fault };
    const evaluations = await Promise.all(material.inputs.map((input) => this.#pool.decide(input)));
    const evaluation = joinEvaluations(evaluations.filter((each) => each !== undefined));
    if (!evaluation) throw unable('the policy engine has no policy');
    return compareAnswers(question, material, evaluation);
  }

  #material({ seq, input }: RecordedQuestion): FoundInput | Redecided {
    const kept = this.#inputs.find(seq, input) ?? this.#parts.exported?.find(input);
    if (kept) return kept;
    const isMasked = this.#parts.exported?.isMasked(input) ?? false;
    return isMasked
      ? { status: 'masked', why: 'parts of the input were masked when it was exported' }
      : { status: 'material missing', why: 'the input was not kept' };
  }

  /** Makes the bundle for this question the active one; why it cannot be, where it cannot. */
  async #activate({ bundle, revision }: RecordedQuestion): Promise<string | undefined> {
    const { instead } = this.#parts;
    const wanted = instead?.identity.digest ?? bundle;
    if (this.#pool.active?.digest === wanted) return undefined;
    if (this.#faults.has(wanted) && this.#faults.get(wanted) !== undefined) return this.#faults.get(wanted);
    const fault = instead ? await this.#open(instead) : await this.#openKept(wanted, revision);
    this.#faults.set(wanted, fault);
    return fault;
  }

  async #openKept(digest: string, revision: string): Promise<string | undefined> {
    const loaded = await loadBundle(join(this.#policies, digest));
    if (!loaded.ok) return `policy ${revision} is not kept as it was: ${loaded.fault}`;
    if (loaded.bundle.identity.digest !== digest) return `policy ${revision} was changed since`;
    return this.#open(loaded.bundle);
  }

  async #open(bundle: Bundle): Promise<string | undefined> {
    const activated = await this.#pool.activate(bundle);
    return activated.ok ? undefined : `policy ${bundle.identity.revision} cannot be used: ${activated.fault}`;
  }
}
