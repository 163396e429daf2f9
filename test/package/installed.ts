/** The package's export as others have it: packed by npm, unpacked into an empty folder, its few dependencies beside it. */
import { cpSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTool } from '../third-party/tool.ts';
import type { ToolRun } from '../third-party/tool.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMPILER = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const EVIDENCE = join(ROOT, 'test', 'vectors', 'witnessed');
/** All that `writ/verify` may need, and what it needs besides where it is asked about a timestamp. */
const NEEDED = ['@noble/ed25519', '@noble/hashes', 'canonicalize'];
const NEEDED_FOR_TIMESTAMPS = ['@peculiar/utils', 'asn1js', 'bytestreamjs', 'pkijs'];

/**
 * Builds what the export reaches, packs and installs it below `folder`, and lays the evidence beside it. Gives the folder
 * to work in. The rest of the package is left out: it would take most of the time.
 */
export function installPackage(folder: string): string {
  const [checkout, work] = [join(folder, 'checkout'), join(folder, 'work')];
  for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src'])
    cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
  const settings = { extends: './tsconfig.build.json', include: [], files: ['src/receipt/verifier.ts'] };
  writeFileSync(join(checkout, 'tsconfig.verifier.json'), JSON.stringify(settings));
  must(compile(['-p', 'tsconfig.verifier.json'], checkout));
  const modules = join(work, 'node_modules');
  mkdirSync(modules, { recursive: true });
  const pack = ['pack', '--ignore-scripts', '--offline', '--pack-destination', folder];
  must(runTool('npm', pack, { cwd: checkout }));
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  must(runTool('tar', ['-xzf', join(folder, archive), '-C', modules]));
  renameSync(join(modules, 'package'), join(modules, 'writ'));
  for (const name of [...NEEDED, ...NEEDED_FOR_TIMESTAMPS])
    cpSync(join(ROOT, 'node_modules', name), join(modules, name), { recursive: true });
  cpSync(EVIDENCE, work, { recursive: true });
  return work;
}

/** Runs the TypeScript compiler in a folder. */
export function compile(args: readonly string[], cwd: string): ToolRun {
  return runTool(process.execPath, [COMPILER, ...args], { cwd });
}

function must({ ok, out }: ToolRun): void {
  if (!ok) throw new Error(out);
}
