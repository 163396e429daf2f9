/** How `writ lineage replay` tells what came out differently. */
import type { KnownAnswer, Redecided } from '../../policy/redecide.ts';
import { EXIT } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import type { ReadEntry } from './search.ts';
import { out } from '../screen.ts';
import { callOf, memberOf, textOf, whatOf } from '../statement-fields.ts';

/** Counts, and prints each decision that needs a word. */
export class ReplayReport {
  readonly #json: boolean;
  readonly #counts: Record<Redecided['status'], number> = {
    same: 0,
    different: 0,
    'material missing': 0,
    masked: 0,
  };
  readonly #whys = new Map<string, number>();

  constructor(json: boolean) {
    this.#json = json;
  }

  add({ seq, statement }: ReadEntry, redecided: Redecided): void {
    this.#counts[redecided.status]++;
    if ('why' in redecided) this.#whys.set(redecided.why, (this.#whys.get(redecided.why) ?? 0) + 1);
    if (this.#json) return out.jsonLine({ seq, ...redecided });
    if (redecided.status !== 'different') return;
    const predicate = memberOf(statement, 'predicate');
    const at = textOf(memberOf(memberOf(predicate, 'entry'), 'at')) ?? '';
    const agent = textOf(memberOf(memberOf(predicate, 'grant'), 'sub')) ?? '';
    const head = [`entry ${seq}`, at, whatOf(statement), callOf(predicate), agent].join('  ');
    out.line(out.paint('strong', head));
    for (const [name, change] of differences(redecided.before, redecided.after))
      out.line(`    ${name.padEnd(12)} ${out.paint('warn', change)}`);
  }

  /** The summary. 1: something came out differently. 3: there were decisions, and not one could be evaluated. */
  finish(): ExitCode {
    const counts = this.#counts;
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    if (this.#json) out.jsonLine({ summary: { decisions: all, ...counts } });
    else this.#tell(all);
    if (counts.different > 0) return EXIT.no;
    return all > 0 && counts.same === 0 ? EXIT.unable : EXIT.yes;
  }

  #tell(all: number): void {
    const { same, different, masked, 'material missing': missing } = this.#counts;
    if (different > 0) out.line();
    out.fields([
      ['decisions', all],
      ['same', { text: String(same), style: 'good' }],
      ['different', { text: String(different), style: different > 0 ? 'bad' : 'good' }],
      ['material missing', missing > 0 ? { text: String(missing), style: 'warn' } : 0],
      ['masked', masked > 0 ? { text: String(masked), style: 'warn' } : 0],
    ]);
    for (const [why, count] of this.#whys) out.line(out.paint('dim', `${count} × ${why}`));
    if (missing > 0) out.line('docs/replay.md tells what has to be kept: `lineage.inputs: keep`.');
  }
}

/** What differs, in words: `verdict`, `reasons`, `obligations`. */
export function differences(before: KnownAnswer, after: KnownAnswer): readonly (readonly [string, string])[] {
  const rows: [string, string][] = [];
  const [then, now] = [verdictOf(before), verdictOf(after)];
  if (then !== now) rows.push(['verdict', `${then} → ${now}`]);
  const reasons = changes(before.reasons ?? [], after.reasons ?? []);
  if (reasons) rows.push(['reasons', reasons]);
  if (!before.obligations && before.code === undefined)
    rows.push(['obligations', 'those of then are not kept']);
  else {
    const obligations = changes(spelled(before), spelled(after));
    if (obligations) rows.push(['obligations', obligations]);
  }
  return rows;
}

function verdictOf({ code, allow }: KnownAnswer): string {
  return code ?? (allow ? 'allow' : 'deny');
}

function spelled({ obligations = [] }: KnownAnswer): readonly string[] {
  return obligations.map(({ type, value }) => `${type} ${value}`);
}

/** `−gone +new`; empty where nothing changed. */
function changes(before: readonly string[], after: readonly string[]): string {
  const gone = before.filter((name) => !after.includes(name)).map((name) => `−${name}`);
  const come = after.filter((name) => !before.includes(name)).map((name) => `+${name}`);
  return [...gone, ...come].join('  ');
}
