/** `writ lineage archive|prune`: what becomes of entries that nobody has to read here any more. */
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import { archiveSegments, notArchived } from '../../lineage/archive.ts';
import { readIdentity } from '../../lineage/identity.ts';
import { pruneInputs } from '../../lineage/inputs.ts';
import { layoutOf } from '../../lineage/layout.ts';
import type { LogLayout } from '../../lineage/layout.ts';
import { lockRetention } from '../../lineage/lock.ts';
import { openLineage } from '../../lineage/open.ts';
import { findPrunable, prune } from '../../lineage/prune.ts';
import type { Prunable } from '../../lineage/prune.ts';
import { pruningDraft } from '../../lineage/pruned.ts';
import type { Pruning } from '../../lineage/pruned.ts';
import { readVouched } from '../../lineage/replay.ts';
import type { Vouched } from '../../lineage/replay.ts';
import { treeAt } from '../../lineage/resume.ts';
import type { Tree } from '../../lineage/tree.ts';
import { prunePolicies } from '../../sidecar/prune-policies.ts';
import { askSidecar } from '../admin-call.ts';
import { CommandFailure, EXIT, unable, usageFailure } from '../exit.ts';
import { moment } from './search.ts';
import { out } from '../screen.ts';
import { addHomeFlags, requireSettings } from '../settings-flags.ts';
import type { LoadedSettings } from '../settings-flags.ts';

/** Adds the commands. */
export function registerRetention(lineage: Command): void {
  addHomeFlags(
    lineage
      .command('archive')
      .description('Copy old log files out of the home, with their digests, and read them back.'),
  )
    .addOption(beforeOption())
    .requiredOption('--to <folder>', 'where to copy them; what is there already must be the same')
    .option('--json', 'as JSON')
    .action((_, command: Command) => alone(command, archive));
  addHomeFlags(
    lineage
      .command('prune')
      .description(
        'Drop old log files: their hashes stay, so that every proof still verifies; what the entries said is gone. ' +
          'An entry of the log says so first.',
      ),
  )
    .addOption(beforeOption())
    .option('--archived <folder>', 'only what `writ lineage archive` put there')
    .option('--dry-run', 'say what would go, and drop nothing')
    .option('--json', 'as JSON')
    .action((_, command: Command) => alone(command, pruneLineage));
}

function beforeOption(): Option {
  return new Option('--before <time>', 'only entries from before then: RFC 3339, or so long ago (30d, 8w)')
    .argParser(moment)
    .makeOptionMandatory();
}

interface Retention {
  readonly settings: LoadedSettings['settings'];
  readonly layout: LogLayout;
  readonly head: Vouched;
  readonly tree: Tree;
  readonly prunable: Prunable;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Does it with what may go of the command's log, alone: what one command copies another must not drop meanwhile. A command
 * failure where nothing may go, `log_locked` where another one is at work.
 */
async function alone(command: Command, work: (retention: Retention) => void | Promise<void>): Promise<void> {
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const { logKey } = readIdentity(layout);
  const lock = lockRetention(layout);
  try {
    const head = readVouched(layout, logKey);
    const tree = treeAt(layout, head);
    const options: Readonly<Record<string, unknown>> = command.opts();
    const prunable = findPrunable({ layout, tree, before: Number(options['before']), now: Date.now() });
    if ('why' in prunable) throw new CommandFailure(EXIT.no, prunable.why);
    await work({ settings, layout, head, tree, prunable, options });
  } finally {
    lock.release();
  }
}

function archive({ settings, head, prunable, options }: Retention): void {
  const folder = resolve(String(options['to']));
  if (`${folder}/`.startsWith(`${resolve(settings.home)}/`))
    throw usageFailure('the folder lies in the home', 'Name one outside.');
  const archived = archiveSegments({ segments: prunable.segments, folder, checkpoint: head.note });
  const { from, until, stopped } = prunable;
  if (options['json'])
    return out.json({ first: from, until, folder, files: archived, stopped: stopped ?? null });
  out.line(`${out.paint('good', 'archived')}  ${archived.length} files, to ${folder}`);
  out.line();
  out.fields([
    ['entries', `${from} to ${until - 1}`],
    ['read back', 'each file has the SHA-256 in SHA256SUMS (`sha256sum -c`)'],
    ['stopped', stopped],
    ['to drop them here', '`writ lineage prune` with the same --before, and --archived'],
    ['to bring them back', 'copy them into the home’s lineage/segments while no sidecar runs'],
  ]);
}

async function pruneLineage(retention: Retention): Promise<void> {
  const { settings, layout, tree, prunable, options } = retention;
  const archived = options['archived'];
  const missing = typeof archived === 'string' ? notArchived(prunable.segments, archived) : undefined;
  if (missing !== undefined)
    throw new CommandFailure(EXIT.no, `${missing} is not in the archive as it is here`, 'Archive it first.');
  if (options['dryRun']) return tell(retention, {});
  const writer = await openWriter(settings, layout);
  try {
    const entry = await prune({ layout, tree, prunable, record: writer.record });
    const inputs = pruneInputs(layout.inputs, prunable.until).length;
    tell(retention, { entry, inputs, policies: prunePolicies(settings.home, prunable.until) });
  } finally {
    await writer.close();
  }
}

/** Whoever may append to the log. */
interface GapWriter {
  readonly record: (pruning: Pick<Pruning, 'until' | 'root'>) => Promise<number>;
  readonly close: () => Promise<void>;
}

/** The running sidecar; where none runs, this process, which holds the log's lock until all is dropped. */
async function openWriter({ home, lineage }: Retention['settings'], layout: LogLayout): Promise<GapWriter> {
  const running = await askSidecar(home, { path: '/api/prune', body: {} }); // asks for nothing: is there one?
  if (running)
    return { record: (pruning) => recordThere(home, layout, pruning), close: () => Promise.resolve() };
  const log = await openLineage({ home, deadlineMs: lineage.deadline_ms, vouchMs: VOUCH_MS });
  const record: GapWriter['record'] = async (pruning) => {
    const { seq } = await log.append({ ...pruningDraft(pruning), receipt: false });
    return vouchedFor(layout, seq);
  };
  return { record, close: () => log.close() };
}

async function recordThere(
  home: string,
  layout: LogLayout,
  { until }: Pick<Pruning, 'until'>,
): Promise<number> {
  const answer = await askSidecar(home, { path: '/api/prune', body: { until } });
  const entry = answer?.body['entry'];
  if (typeof entry === 'number') return vouchedFor(layout, entry);
  throw unable('the sidecar did not record what is to be dropped', 'Nothing was dropped.');
}

const VOUCH_MS = 100;
/** The checkpoint file follows the log within seconds. */
const PATIENCE_MS = 30_000;

/** Resolves once the `checkpoint` file covers an entry: from then on no reader finds a hole before it finds the entry. */
async function vouchedFor(layout: LogLayout, seq: number): Promise<number> {
  const { logKey } = readIdentity(layout);
  for (let waited = 0; waited < PATIENCE_MS; waited += VOUCH_MS) {
    if (readVouched(layout, logKey).size > seq) return seq;
    await pause(VOUCH_MS);
  }
  throw unable(`the checkpoint file does not cover entry ${seq}`, 'Nothing was dropped.');
}

interface Dropped {
  readonly entry?: number;
  readonly inputs?: number;
  readonly policies?: readonly string[];
}

function tell({ prunable, options }: Retention, { entry, inputs = 0, policies = [] }: Dropped): void {
  const { from, until, segments, last, stopped } = prunable;
  if (options['json'])
    return out.json({
      ...{ first: from, until, last, files: segments.length, stopped: stopped ?? null },
      ...(entry !== undefined && { entry, inputs, policies }),
    });
  const range = `${from} to ${until - 1}`;
  const done = entry === undefined ? 'would be pruned' : 'pruned';
  out.line(
    `${out.paint(entry === undefined ? 'warn' : 'good', done)}  entries ${range}, the last of ${last}`,
  );
  out.line();
  out.fields([
    ['on record', entry === undefined ? undefined : `in entry ${entry}`],
    ['files', `${segments.length} of the log; entry 0 stays`],
    ['inputs', inputs > 0 ? `${inputs} files of kept inputs` : undefined],
    ['policies', policies.length > 0 ? `${policies.join(', ')}: no entry names them any more` : undefined],
    ['timestamps', 'all stay'],
    ['still provable', `that an entry with a given text was number N of ${range}; that the log only grew`],
    [
      'not any more',
      {
        text:
          `what entries ${range} said, unless somebody kept them: a receipt, an archive, an export. ` +
          '`verify` cannot hash them again, `show`, `export` and `replay` pass them over',
        style: 'warn',
      },
    ],
    ['stopped', stopped],
  ]);
}
