/** `writ policy eval`: one call, one decision, and how it came about. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { decisionQuery, sampleInput, withBasePolicy } from '../policy/build.ts';
import type { QueryResult } from '../policy/compiler.ts';
import { EXIT, unable, usageFailure } from './exit.ts';
import { policyFiles, withCompiler } from './policy-folder.ts';
import { printFaults } from './policy-report.ts';
import { out } from './screen.ts';

interface EvalOptions {
  readonly input?: string;
  readonly set: readonly string[];
  readonly query: string;
  readonly trace?: boolean;
  readonly json?: boolean;
}

/** Gives `policy eval` its options and its action. */
export function registerPolicyEval(command: Command): void {
  command
    .option('-i, --input <file>', 'the input document, or - for standard input; by default a plain GET')
    .option('--set <path=value>', 'change one member of it, such as call.method=DELETE', collect, [])
    .option('-q, --query <query>', 'what to ask', decisionQuery)
    .option('--trace', 'show every step')
    .action(evaluate);
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

async function evaluate(folder: string, options: EvalOptions): Promise<void> {
  const files = await policyFiles(folder);
  const { query, trace = false, json } = options;
  const given = options.input === undefined ? undefined : await readInput(options.input);
  const source = await withBasePolicy(files);
  const answered = await withCompiler(async (compiler) => {
    const input = options.set.reduce(withMember, given ?? (await sampleInput(compiler)));
    return compiler.evaluate(source, { query, input, trace });
  });
  if (!answered.ok) return printFaults(answered.faults, files, json);
  process.exitCode = isYes(query, answered.value) ? EXIT.yes : EXIT.no;
  if (json) return out.json(answered.value);
  if (trace) for (const line of stepsOf(answered.value.trace)) out.line(out.paint('dim', line));
  print(query, answered.value);
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

async function readInput(file: string): Promise<unknown> {
  let text: string;
  try {
    text = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    throw unable(`cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw usageFailure(`${file} is not JSON`);
  }
}

/** A copy with one member replaced; the value is JSON where it reads as JSON, else text. */
function withMember(input: unknown, change: string): unknown {
  const at = change.indexOf('=');
  if (at < 1) throw usageFailure(`--set ${change}: write path=value, such as call.method=DELETE`);
  return replaced(input, change.slice(0, at).split('.'), valueOf(change.slice(at + 1)));
}

function replaced(input: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const object: Readonly<Record<string, unknown>> =
    typeof input === 'object' && input !== null ? { ...input } : {};
  return { ...object, [name]: replaced(object[name], rest, value) };
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
