/** `writ policy`: build, test, check, format and evaluate a folder of Rego. Needs neither Go nor an `opa` binary. */
import { chmodSync, realpathSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { fileFault } from '../config/file-fault.ts';
import { makeMissing, replaceFile } from '../lineage/durable.ts';
import { buildBundle, withBasePolicy } from '../policy/build.ts';
import { EXIT, unable, usageFailure } from './exit.ts';
import { registerPolicyEval } from './policy/eval.ts';
import { policyFiles, withCompiler } from './policy/folder.ts';
import { printCoverage, printFaults, printTests } from './policy/report.ts';
import { out } from './screen.ts';

interface BuildOptions {
  readonly out: string;
  readonly revision?: string;
  readonly json?: boolean;
}

interface TestOptions {
  readonly run?: string;
  readonly coverage?: boolean;
  readonly json?: boolean;
}

interface FormatOptions {
  readonly write?: boolean;
  readonly json?: boolean;
}

/** Adds `writ policy build|test|check|fmt|eval`. */
export function registerPolicy(program: Command): void {
  const policy = program
    .command('policy')
    .description('Build, test, check, format and evaluate policies: docs/policy.md tells how to write one.');
  folderCommand(policy, 'build', 'Compile a folder into a bundle: policy.wasm, data.json and .manifest.')
    .requiredOption('-o, --out <folder>', 'where the bundle goes')
    .option('--revision <name>', 'its revision; by default made from the sources')
    .action(build);
  folderCommand(policy, 'test', 'Run the tests of a folder: rules named test_ in files named _test.rego.')
    .option('--run <pattern>', 'only tests whose full name matches this regular expression')
    .option('--coverage', 'show the lines that no test reached')
    .action(test);
  folderCommand(policy, 'check', 'Report everything that is wrong with a folder, at file and line.').action(
    check,
  );
  folderCommand(
    policy,
    'fmt',
    'List the files that are not laid out as Rego is; answers 1 where there are any.',
  )
    .option('--write', 'lay them out')
    .action(format);
  registerPolicyEval(folderCommand(policy, 'eval', 'Decide one call by a folder, and say why.'));
}

function folderCommand(policy: Command, name: string, description: string): Command {
  return policy
    .command(name)
    .description(description)
    .argument('<folder>', 'the policy: .rego files, data.json or data.yaml')
    .option('--json', 'as JSON');
}

async function build(folder: string, options: BuildOptions): Promise<void> {
  if (options.revision !== undefined && !/^[\x21-\x7e]{1,128}$/.test(options.revision))
    throw usageFailure('--revision takes 1 to 128 visible ASCII characters');
  const files = await policyFiles(folder);
  const built = await withCompiler((compiler) => buildBundle(compiler, files, options.revision));
  if (!built.ok) return printFaults(built.faults, files, options.json);
  const { files: parts, manifest, identity } = built.value;
  try {
    makeMissing(options.out, 0o777);
    for (const [name, bytes] of Object.entries(parts)) await writeFile(join(options.out, name), bytes);
  } catch (cause) {
    throw unable(`cannot write ${options.out}: ${fileFault(cause)}`);
  }
  if (options.json) return out.json({ ok: true, ...identity, content: manifest.content });
  out.fields([
    ['bundle', { text: options.out, style: 'good' }],
    ['revision', identity.revision],
    ['digest', identity.digest],
    ['reads bodies', manifest.content.join(', ') || 'no'],
  ]);
}

async function test(folder: string, options: TestOptions): Promise<void> {
  const files = await policyFiles(folder);
  const { run, coverage = false } = options;
  const source = await withBasePolicy(files);
  const ran = await withCompiler((compiler) =>
    compiler.test(source, { coverage, ...(run === undefined ? {} : { run }) }),
  );
  if (!ran.ok) return printFaults(ran.faults, files, options.json);
  const bad = ran.value.tests.filter(({ outcome }) => outcome === 'fail' || outcome === 'error').length;
  process.exitCode = bad > 0 || ran.value.tests.length === 0 ? EXIT.no : EXIT.yes;
  if (options.json) return out.json({ ok: process.exitCode === EXIT.yes, ...ran.value });
  printTests(ran.value.tests);
  if (ran.value.coverage) printCoverage(ran.value.coverage);
}

async function check(folder: string, { json }: { readonly json?: boolean }): Promise<void> {
  const files = await policyFiles(folder);
  const source = await withBasePolicy(files);
  const checked = await withCompiler((compiler) => compiler.check(source));
  if (!checked.ok) return printFaults(checked.faults, files, json);
  if (json) return out.json({ ok: true, needs: checked.value });
  const count = Object.keys(files).length;
  out.line(`${out.paint('good', 'ok')}  ${out.paint('dim', `${count} ${count === 1 ? 'file' : 'files'}`)}`);
}

async function format(folder: string, { write = false, json }: FormatOptions): Promise<void> {
  const files = await policyFiles(folder);
  const formatted = await withCompiler((compiler) => compiler.format(files));
  if (!formatted.ok) return printFaults(formatted.faults, files, json);
  const changed = Object.entries(formatted.value);
  if (write) for (const [name, text] of changed) rewrite(join(folder, name), text);
  process.exitCode = changed.length > 0 && !write ? EXIT.no : EXIT.yes;
  if (json) return out.json({ ok: process.exitCode === EXIT.yes, changed: changed.map(([name]) => name) });
  for (const [name] of changed) out.line(out.paint(write ? 'name' : 'bad', name));
}

/** In one step, the file that a link leads to, and with the mode that it had. */
function rewrite(path: string, text: string): void {
  const file = realpathSync(path);
  const mode = statSync(file).mode & 0o777;
  try {
    replaceFile(file, text, mode);
    chmodSync(file, mode); // the umask may have taken some of it
  } catch (cause) {
    throw unable(`cannot write ${path}: ${fileFault(cause)}`);
  }
}
