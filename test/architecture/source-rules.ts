/** House rules for one source file, read from its syntax tree. Each fault is one line: `file:line: what`. */
import { basename, dirname } from 'node:path';
import ts from 'typescript';

/** A file to look at. `path` is relative to the project, with forward slashes. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** A function with a name of its own, as the statistics count it. */
export interface FunctionSize {
  readonly place: string;
  readonly lines: number;
}

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 60;
const MAX_NESTING = 3;
const MAX_PARAMETERS = 3;

/** Only wiring, settings and commands may touch the process, the clock and the terminal. */
const SHELL = /^src\/(main\.ts|config\/|cli\/|thread\/)/;
const FORBIDDEN_NAMES = /^(utils?|helpers?|types?|managers?|common|index|misc|shared)$/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;

/** Every fault of a source file. */
export function sourceFaults({ path, text }: SourceText): readonly string[] {
  const file = parse({ path, text });
  const faults = [...nameFaults(path), ...sizeFaults(path, text)];
  const report = (node: ts.Node, what: string): void => void faults.push(`${placeOf(file, node)}: ${what}`);
  for (const statement of file.statements) exportFault(statement, report);
  visit(file, (node) => {
    if (!SHELL.test(path)) shellFault(node, report);
    if (isFunction(node)) functionFault(node, file, report);
  });
  return faults;
}

/** Sizes of all functions that have a name: inline callbacks are part of the function around them. */
export function functionSizes(source: SourceText): readonly FunctionSize[] {
  const file = parse(source);
  const sizes: FunctionSize[] = [];
  visit(file, (node) => {
    if (isFunction(node) && isNamed(node))
      sizes.push({ place: placeOf(file, node), lines: linesOf(file, node) });
  });
  return sizes;
}

type Report = (node: ts.Node, what: string) => void;

function parse({ path, text }: SourceText): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
}

function nameFaults(path: string): string[] {
  const words = [...dirname(path).split('/'), basename(path).replace(/\.(d\.)?(ts|js)$/, '')];
  const vague = words
    .filter((word) => FORBIDDEN_NAMES.test(word))
    .map((word) => `${path}: says nothing: ${word}`);
  return words.every((word) => KEBAB.test(word)) ? vague : [...vague, `${path}: is not kebab-case`];
}

function sizeFaults(path: string, text: string): string[] {
  const lines = text.trimEnd().split('\n').length;
  return lines > MAX_FILE_LINES ? [`${path}: has ${lines} lines, at most ${MAX_FILE_LINES}`] : [];
}

function exportFault(statement: ts.Statement, report: Report): void {
  if (ts.isExportAssignment(statement)) return report(statement, 'default export');
  if (ts.isExportDeclaration(statement)) return report(statement, 'export list: export where it is declared');
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  const kinds = modifiers.map(({ kind }) => kind);
  if (kinds.includes(ts.SyntaxKind.DefaultKeyword)) report(statement, 'default export');
  const documented = ts.getJSDocCommentsAndTags(statement).length > 0;
  if (kinds.includes(ts.SyntaxKind.ExportKeyword) && !documented)
    report(statement, 'export without a doc comment');
}

function shellFault(node: ts.Node, report: Report): void {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const called = `${node.expression.text}.${node.name.text}`;
    if (/^(process\.(env|exit|exitCode|argv)|Date\.now|console\.\w+)$/.test(called))
      report(node, `${called} outside the shell`);
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length)
    report(node, 'new Date() outside the shell');
}

function functionFault(node: FunctionNode, file: ts.SourceFile, report: Report): void {
  const lines = linesOf(file, node);
  if (lines > MAX_FUNCTION_LINES) report(node, `a function of ${lines} lines, at most ${MAX_FUNCTION_LINES}`);
  if (node.parameters.length > MAX_PARAMETERS)
    report(node, `${node.parameters.length} parameters, at most ${MAX_PARAMETERS}: take an object`);
  const depth = node.body ? nestingOf(node.body) : 0;
  if (depth > MAX_NESTING) report(node, `nested ${depth} deep, at most ${MAX_NESTING}`);
}

/** How deep control flow is nested, not counting inner functions and a `finally` that only gives something back. */
function nestingOf(node: ts.Node): number {
  let deepest = 0;
  ts.forEachChild(node, (child) => {
    if (isFunction(child)) return;
    const elseIf = ts.isIfStatement(child) && ts.isIfStatement(node) && node.elseStatement === child;
    const inner = nestingOf(child) + (nests(child) && !elseIf ? 1 : 0);
    deepest = Math.max(deepest, inner);
  });
  return deepest;
}

function nests(node: ts.Node): boolean {
  return (
    ts.isIfStatement(node) ||
    ts.isIterationStatement(node, false) ||
    ts.isSwitchStatement(node) ||
    (ts.isTryStatement(node) && node.catchClause !== undefined)
  );
}

type FunctionNode =
  | ts.FunctionDeclaration
  | ts.FunctionExpression
  | ts.ArrowFunction
  | ts.MethodDeclaration
  | ts.ConstructorDeclaration
  | ts.AccessorDeclaration;

function isFunction(node: ts.Node): node is FunctionNode {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isAccessor(node)
  );
}

function isNamed(node: FunctionNode): boolean {
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return true;
  return ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent);
}

function linesOf(file: ts.SourceFile, node: ts.Node): number {
  const line = (at: number): number => file.getLineAndCharacterOfPosition(at).line;
  return line(node.getEnd()) - line(node.getStart(file)) + 1;
}

function placeOf(file: ts.SourceFile, node: ts.Node): string {
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`;
}

function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node);
  ts.forEachChild(node, (child) => visit(child, each));
}
