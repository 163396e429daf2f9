/** How `writ policy` shows faults, tests and coverage. Policy text is untrusted on the screen, like everything. */
import type { Coverage, PolicyFiles, TestResult } from '../../policy/compiler.ts';
import { faultText, type Fault } from '../../policy/fault.ts';
import { EXIT } from '../exit.ts';
import { out } from '../screen.ts';

/** Prints every fault with the line it is in, and makes the command answer no. */
export function printFaults(faults: readonly Fault[], files: PolicyFiles, json = false): void {
  process.exitCode = EXIT.no;
  if (json) return out.json({ ok: false, faults });
  for (const [i, fault] of faults.entries()) {
    if (i > 0) out.line();
    printFault(fault, files[fault.file]);
  }
  out.line(`\n${out.paint('bad', `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`)}`);
}

function printFault(fault: Fault, text: string | undefined): void {
  const [first = '', ...rest] = faultText(fault).split('\n');
  out.line(out.paint('bad', first));
  const line = text?.split('\n')[fault.line - 1];
  if (line !== undefined) printExcerpt(line, fault);
  for (const more of rest) out.line(`  ${out.paint('dim', more)}`);
}

/** The line, and a caret under what is meant. Tabs become spaces so that both stay aligned. */
function printExcerpt(line: string, { line: number, column, length }: Fault): void {
  const letters = [...line.replaceAll('\t', ' ')];
  const start = Math.min(column - 1, letters.length);
  const width = Math.max(1, Math.min(length, letters.length - start));
  const margin = `  ${number} | `;
  out.line(`${out.paint('dim', margin)}${out.paint('strong', letters.join(''))}`);
  out.line(`${' '.repeat(margin.length + start)}${out.paint('bad', '^'.repeat(width))}`);
}

/** One line a test that did not pass, with what it printed, and a sum. */
export function printTests(tests: readonly TestResult[]): void {
  for (const test of tests) if (test.outcome !== 'pass') printTest(test);
  const count = (wanted: string): number => tests.filter(({ outcome }) => outcome === wanted).length;
  const [passed, skipped] = [count('pass'), count('skip')];
  const failed = tests.length - passed - skipped;
  if (tests.length === 0)
    return out.line(out.paint('bad', 'no tests: a rule named test_… in a file named …_test.rego'));
  const sum = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  out.line(out.paint(failed > 0 ? 'bad' : 'good', sum));
}

function printTest({ file, line, name, outcome, message, output }: TestResult): void {
  out.line(
    `${out.paint(outcome === 'skip' ? 'warn' : 'bad', outcome)}  ${out.paint('name', name)}  ${out.paint('dim', `${file}:${line}`)}`,
  );
  for (const more of [message, output]) {
    for (const text of more?.trimEnd().split('\n') ?? [])
      if (text) out.line(`      ${out.paint('dim', text)}`);
  }
}

/** A table of files, with the lines that no test reached. */
export function printCoverage({ coverage, files }: Coverage): void {
  out.line();
  const rows = Object.entries(files).map(([file, report]) => [
    { text: file, style: 'name' as const },
    `${report.coverage ?? 0} %`,
    (report.not_covered ?? []).map(({ start, end }) => rangeText(start.row, end.row)).join(', '),
  ]);
  out.table(['file', 'covered', 'lines not reached'], [...rows, ['all', `${coverage} %`, '']]);
}

const rangeText = (from: number, to: number): string => (from === to ? String(from) : `${from}–${to}`);
