/** `writ policy eval`: one call, one decision (or one for each message of its body), and how it came about. */
import type { Command } from 'commander';
import { pass } from '../../denial/outcome.ts';
import type { Outcome, Refusal } from '../../denial/outcome.ts';
import { denials } from '../../denial/table.ts';
import { decisionQuery, withBasePolicy } from '../../policy/build.ts';
import type { Compiler, PolicySource, QueryResult } from '../../policy/compiler.ts';
import type { Compiled } from '../../policy/fault.ts';
import { EXIT, usageFailure } from '../exit.ts';
import { readInputs } from './eval-input.ts';
import type { InputOptions } from './eval-input.ts';
import { policyFiles, withCompiler } from './folder.ts';
import { printFaults } from './report.ts';
import { out } from '../screen.ts';

interface EvalOptions extends InputOptions {
  readonly query: string;
  readonly trace?: boolean;
  readonly json?: boolean;
}

/** Gives `policy eval` its options and its action. */
export function registerPolicyEval(command: Command): void {
  command
    .option('-i, --input <file>', 'the input document, or - for standard input; by default a plain GET')
    .option('--set <path=value>', 'change one member of it, such as call.method=DELETE', collect, [])
    .option(
      '--body <file>',
      'a request body, or - for standard input; the call is a POST unless the input says otherwise',
    )
    .option('--content-type <type>', 'of the body', 'application/json')
    .option('-q, --query <query>', 'what to ask', decisionQuery)
    .option('--trace', 'show every step')
    .action(evaluate);
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

async function evaluate(folder: string, options: EvalOptions): Promise<void> {
  if (options.input === '-' && options.body === '-')
    throw usageFailure('only one of --input and --body can be standard input');
  const files = await policyFiles(folder);
  const source = await withBasePolicy(files);
  const asked = await withCompiler((compiler) => ask(compiler, source, options));
  if (!asked.ok) return printFaults(asked.faults, files, options.json);
  if (!asked.value.ok) return printRefusal(asked.value, options);
  const results = asked.value.value;
  process.exitCode = results.every((result) => isYes(options.query, result)) ? EXIT.yes : EXIT.no;
  if (options.json) return out.json(results.length === 1 ? results[0] : results);
  for (const [index, result] of results.entries()) {
    if (results.length > 1) out.line(out.paint('strong', `message ${index + 1} of ${results.length}`));
    if (options.trace) for (const line of stepsOf(result.trace)) out.line(out.paint('dim', line));
    print(options.query, result);
  }
}

/** The answer to each input; a refusal where the sidecar would not ask. */
async function ask(
  compiler: Compiler,
  source: PolicySource,
  options: EvalOptions,
): Promise<Compiled<Outcome<readonly QueryResult[]>>> {
  const inputs = await readInputs(compiler, source, options);
  if (!inputs.ok) return inputs;
  if (!inputs.value.ok) return { ok: true, value: inputs.value };
  const { query, trace = false } = options;
  const results: QueryResult[] = [];
  for (const input of inputs.value.value) {
    const answered = await compiler.evaluate(source, { query, input, trace });
    if (!answered.ok) return answered;
    results.push(answered.value);
  }
  return { ok: true, value: pass(results) };
}

function printRefusal({ code, detail }: Refusal, { json }: EvalOptions): void {
  process.exitCode = EXIT.no;
  if (json) return out.json({ refused: { code, detail } });
  out.fields([
    ['decision', { text: 'not asked', style: 'bad' }],
    ['refused', `${code}: ${denials[code].title}`],
    ['because', detail],
  ]);
}

/** The author's own steps; with --json all of them are there, the base policy's too. */
function stepsOf(trace: string): readonly string[] {
  return trace.split('\n').filter((line) => line !== '' && !/^(writ\/|query:)/.test(line));
}

/** A decision that allows; of any other query, that it has an answer. */
function isYes(query: string, { defined, values }: QueryResult): boolean {
  return query === decisionQuery ? asDecision(values[0])?.allow === true : defined;
}

function print(query: string, { defined, values }: QueryResult): void {
  const decision = query === decisionQuery ? asDecision(values[0]) : undefined;
  if (!defined) return out.line(out.paint('warn', 'undefined'));
  if (!decision) return values.forEach((value) => out.json(value));
  out.fields([
    ['decision', decision.allow ? { text: 'allow', style: 'good' } : { text: 'deny', style: 'bad' }],
    ['reasons', decision.reasons.map(String).join(', ') || undefined],
    ['obligations', decision.obligations.map((item) => JSON.stringify(item)).join(', ') || undefined],
  ]);
}

interface Shown {
  readonly allow: unknown;
  readonly reasons: readonly unknown[];
  readonly obligations: readonly unknown[];
}

function asDecision(value: unknown): Shown | undefined {
  if (typeof value !== 'object' || value === null || !('allow' in value)) return undefined;
  if (!('reasons' in value) || !Array.isArray(value.reasons)) return undefined;
  if (!('obligations' in value) || !Array.isArray(value.obligations)) return undefined;
  return { allow: value.allow, reasons: value.reasons, obligations: value.obligations };
}
