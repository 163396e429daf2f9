import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import type { IForbiddenRuleType } from 'dependency-cruiser';
import t from 'tap';
import { projectFiles } from './architecture/project-files.ts';
import { functionSizes, sourceFaults } from './architecture/source-rules.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = projectFiles(ROOT, 'src').filter(({ path }) => path.endsWith('.ts'));

interface CruiserSettings {
  readonly forbidden: IForbiddenRuleType[];
  readonly options: Readonly<Record<string, unknown>>;
}

const { forbidden, options } = createRequire(import.meta.url)(
  '../.dependency-cruiser.cjs',
) as CruiserSettings; // our own file

/** `rule: from → to` for every import of `src` that breaks a rule. */
async function importFaults(baseDir: string): Promise<readonly string[]> {
  const { output } = await cruise(['src'], { ...options, baseDir, validate: true, ruleSet: { forbidden } });
  if (typeof output === 'string') throw new Error('dependency-cruiser gave a text');
  if (output.modules.length === 0) throw new Error('dependency-cruiser saw nothing');
  return output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

t.test('imports point one way, without cycles, orphans or what is not shipped', async (t) => {
  t.strictSame(await importFaults(ROOT), []);
});

t.test('an import that breaks a rule is found', async (t) => {
  const rows: [string, Record<string, string>, RegExp][] = [
    ['to the right', { 'call/a.ts': "import '../gate/b.ts';", 'gate/b.ts': '' }, /^direction-call: /],
    ['to the right, a type', { 'call/a.ts': "import type { B } from '../gate/b.ts';", 'gate/b.ts': 'export interface B {}' }, /^direction-call: /],
    ['to the right, later', { 'call/a.ts': "await import('../gate/b.ts');", 'gate/b.ts': '' }, /^direction-call: /],
    ['beside', { 'proxy/a.ts': "import '../console/b.ts';", 'console/b.ts': '' }, /^direction-proxy: /],
    ['of main', { 'cli/a.ts': "import '../main.ts';", 'main.ts': '' }, /^direction-cli: /],
    ['of an unknown room', { 'cli/a.ts': "import '../attic/b.ts';", 'attic/b.ts': '' }, /^room-unknown: /],
    ['of Node, where browsers run', { 'crypto/key.ts': "import 'node:fs';" }, /^portable: /],
    ['of Node through another file', { 'lineage/proof.ts': "import '../crypto/node.ts';", 'crypto/node.ts': "import 'node:fs';" }, /^portable: /],
    ['of Node by the verifier', { 'receipt/verify-note.ts': "import 'fs';" }, /^portable: /],
    ['in a circle', { 'call/a.ts': "import './b.ts';", 'call/b.ts': "import './a.ts';" }, /^cycle: /],
    ['of nothing, by nobody', { 'call/a.ts': 'export const a = 1;' }, /^orphan: /],
    ['of what is not there', { 'call/a.ts': "import './b.ts';" }, /^unresolvable: /],
    ['of a test', { 'call/a.ts': "import '../../test/b.ts';", '../test/b.ts': '' }, /^source-only: /],
    ['of a package that is not ours', { 'call/a.ts': "import 'tap';" }, /^(production-only|unresolvable): /],
  ]; // prettier-ignore
  for (const [name, files, wanted] of rows) {
    const folder = t.testdir({ 'package.json': '{"dependencies":{}}' });
    for (const [path, text] of Object.entries(files)) writeUnder(join(folder, 'src'), path, text);
    const found = await importFaults(folder);
    t.ok(
      found.some((fault) => wanted.test(fault)),
      `an import ${name}`,
      { found },
    );
  }
});

t.test('every source file keeps the house rules', (t) => {
  t.strictSame(sources.flatMap(sourceFaults), []);
  t.end();
});

t.test('functions are mostly short', (t) => {
  const sizes = sources.flatMap(functionSizes);
  const over = (limit: number): number => sizes.filter(({ lines }) => lines > limit).length / sizes.length;
  t.ok(sizes.length > 100, 'there are functions');
  t.ok(over(15) < 1 / 3, `two in three have at most 15 lines (${over(15).toFixed(3)} over)`);
  t.ok(over(25) <= 1 / 10, `one in ten has over 25 lines (${over(25).toFixed(3)})`);
  t.end();
});

t.test('a source file that breaks a rule is found', (t) => {
  const long = (lines: number): string => `{\n${'  a();\n'.repeat(lines - 2)}}`;
  const rows: [string, string, RegExp][] = [
    ['src/call/utils.ts', '', /says nothing: utils/],
    ['src/helpers/a.ts', '', /says nothing: helpers/],
    ['src/call/readCall.ts', '', /not kebab-case/],
    ['src/call/a.ts', '//\n'.repeat(401), /401 lines/],
    ['src/call/a.ts', '/** A. */\nexport default 1;', /default export/],
    ['src/call/a.ts', '/** A. */\nexport default function a() {}', /default export/],
    ['src/call/a.ts', "export * from './b.ts';", /export list/],
    ['src/call/a.ts', "export { b } from './b.ts';", /export list/],
    ['src/call/a.ts', 'export const a = 1;', /without a doc comment/],
    ['src/call/a.ts', `function a() ${long(61)}`, /61 lines/],
    ['src/call/a.ts', `const a = () => ${long(61)}`, /61 lines/],
    ['src/call/a.ts', 'function a(b, c, d, e) {}', /4 parameters/],
    ['src/call/a.ts', 'function a() { if (1) for (;;) while (1) { try {} catch {} } }', /nested 4 deep/],
    ['src/call/a.ts', 'const a = process.env;', /process\.env outside/],
    ['src/call/a.ts', 'const a = process.exit(1);', /process\.exit outside/],
    ['src/call/a.ts', 'const a = Date.now();', /Date\.now outside/],
    ['src/call/a.ts', 'const a = new Date();', /new Date\(\) outside/],
    ['src/call/a.ts', 'console.log(1);', /console\.log outside/],
  ];
  for (const [path, text, wanted] of rows)
    t.match(sourceFaults({ path, text }).join('\n'), wanted, `${path} ${wanted.source}`);
  t.end();
});

t.test('what the rules allow is not found', (t) => {
  const rows: [string, string][] = [
    ['src/call/a.ts', `/** A. */\nexport function a(b, c, d) {\n${'  e();\n'.repeat(58)}}`],
    ['src/call/a.ts', 'if (1) {} else if (2) {} else if (3) {} else if (4) {} else if (5) {}'],
    ['src/call/a.ts', 'function a() { if (1) for (;;) { if (2) b(() => { if (3) if (4) if (5) c(); }); } }'],
    ['src/call/a.ts', 'const a = new Date(5);'],
    ['src/cli/a.ts', 'console.log(process.env, Date.now());'],
  ];
  for (const [path, text] of rows) t.strictSame(sourceFaults({ path, text }), [], text.slice(0, 60));
  t.end();
});

t.test('no file names a package registry or a folder of somebody’s machine', (t) => {
  // Built from parts, so that this file passes its own test.
  const registries = ['npmjs', 'verdaccio', 'artifactory', 'jfrog', 'nexus', 'registry.npm'].join('|');
  const folders = ['work', 'home', 'Users', 'root'].join('|');
  const hosts = new RegExp(`https?://[^/\\s"']*(${registries})|"resol${'ved'}":`, 'i');
  const paths = new RegExp(`(^|[\\s"'\`=(:])/(${folders})/[a-z0-9._-]+`, 'im');
  const files = projectFiles(ROOT);
  t.ok(files.some(({ path }) => path === 'package-lock.json'));
  for (const { path, text } of files) {
    if (hosts.test(text)) t.fail(`${path} names a registry: ${hosts.exec(text)?.[0]}`);
    if (paths.test(text)) t.fail(`${path} names a machine’s folder: ${paths.exec(text)?.[0]}`);
  }
  t.match(`see ${'https'}://registry.${'npm'}js.org/`, hosts);
  t.match(`in ${'/ho'}me/someone/`, paths);
  t.end();
});

function writeUnder(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}
