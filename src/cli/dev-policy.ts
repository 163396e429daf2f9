/** `writ dev --policy DIR`: compiles a folder at start and whenever it is saved, and keeps the last good policy. */
import { watch } from 'chokidar';
import { buildBundle } from '../policy/build.ts';
import { readBundle } from '../policy/bundle.ts';
import { Compiler } from '../policy/compiler.ts';
import { readPolicyFolder } from '../policy/source.ts';
import type { Sidecar } from '../sidecar/sidecar.ts';
import { printFaults } from './policy/report.ts';
import { out } from './screen.ts';

/** A folder that is watched. */
export interface WatchedPolicy {
  close(): Promise<void>;
}

/** An editor writes a file in several steps; what comes within so many milliseconds is one save. */
const SETTLE_MS = 50;
/** The compiler takes 350 MB: it stays this long for the next save. */
const COMPILER_IDLE_MS = 60_000;

/** Compiles now, and at every save from then on. Until it compiles for the first time, calls are refused. */
export async function watchPolicy(folder: string, sidecar: Sidecar): Promise<WatchedPolicy> {
  const compiler = new Compiler({ idle: COMPILER_IDLE_MS });
  let last = compileInto(compiler, folder, sidecar);
  let timer: NodeJS.Timeout | undefined;
  let blind = false;
  const watcher = watch(folder, { ignoreInitial: true, ignored: (path) => /\/\.[^/]+$/.test(path) });
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      last = last.then(() => compileInto(compiler, folder, sidecar));
    }, SETTLE_MS);
  });
  watcher.on('error', (cause) => {
    if (!blind) tellBlind(folder, cause);
    blind = true; // the same for each of its files
  });
  await last;
  return {
    close: async () => {
      clearTimeout(timer);
      await watcher.close();
      await last;
      await compiler.close();
    },
  };
}

/** Never rejects: what is wrong is shown, and the policy in force stays. */
async function compileInto(compiler: Compiler, folder: string, sidecar: Sidecar): Promise<void> {
  const began = performance.now();
  try {
    const files = await readPolicyFolder(folder);
    const built = await buildBundle(compiler, files);
    if (!built.ok) {
      printFaults(built.faults, files);
      return keep(sidecar);
    }
    const loaded = await readBundle(built.value.files);
    const fault = loaded.ok ? await sidecar.standing.activate(loaded, 'reload') : loaded.fault;
    if (fault !== undefined) throw new Error(fault);
    const took = Math.round(performance.now() - began);
    out.line(
      `${out.paint('good', 'policy')}  ${folder} is active, revision ${built.value.manifest.revision} (${took} ms)`,
    );
  } catch (cause) {
    out.line(
      `${out.paint('bad', 'policy')}  ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
    keep(sidecar);
  } finally {
    process.exitCode = 0; // printFaults answers for commands that end
  }
}

/** Such as a system that has no watch left to give. What was compiled stays active. */
function tellBlind(folder: string, cause: unknown): void {
  const why = cause instanceof Error ? cause.message : String(cause);
  out.line(`${out.paint('bad', 'policy')}  ${folder} is not watched (${why}): start again after a save`);
}

function keep(sidecar: Sidecar): void {
  const kept = sidecar.standing.policy.active;
  out.line(
    out.paint(
      'warn',
      kept ? `revision ${kept.revision} stays active` : 'no policy is active: every call is refused',
    ),
  );
}
