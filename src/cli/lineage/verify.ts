/** `writ lineage verify`. */
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { node } from '../../crypto/node.ts';
import { parseHead, verifyCheckpoint } from '../../lineage/checkpoint.ts';
import type { TreeHead } from '../../lineage/checkpoint.ts';
import { LogFault } from '../../lineage/fault.ts';
import { readIdentity } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import type { LogLayout } from '../../lineage/layout.ts';
import { parseNote } from '../../lineage/note.ts';
import type { NoteKey } from '../../lineage/note.ts';
import { ScanCrew } from '../../lineage/scan-crew.ts';
import { sayTimestamp } from '../../lineage/timestamp/fault.ts';
import type { TimestampOutcome } from '../../lineage/timestamp/fault.ts';
import { timestampedBytes, verifyTimestamp } from '../../lineage/timestamp/timestamp.ts';
import { verifyLargeLog } from '../../lineage/verify.ts';
import type { BadLog, GoodLog, LogVerification } from '../../lineage/verify.ts';
import { parseTrust } from '../../receipt/trust-file.ts';
import { CommandFailure, EXIT, unable, usageFailure } from '../exit.ts';
import { prunedRange } from './pruned.ts';
import { checkpointIn } from '../log-view.ts';
import { readGiven } from '../result-file.ts';
import { progressBar } from '../progress-bar.ts';
import { out } from '../screen.ts';
import { requireSettings } from '../settings-flags.ts';
import type { Cell } from '../table.ts';
import { readTimestamp } from '../timestamp-flags.ts';
import type { TimestampFlags } from '../timestamp-flags.ts';

/** Verifies the whole log of a home; exit 1 where it is damaged. */
export async function verifyLineage(command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const options: Readonly<Record<string, unknown>> = command.opts();
  const layout = layoutOf(settings.home);
  const { trust, checkpoint, json } = options;
  const keysFrom = typeof trust === 'string' ? trust : 'the log’s own entry 0';
  const logKey = await keyOf(layout, trust);
  if ('ok' in logKey) return printBad(logKey, { keysFrom, json });
  const known = typeof checkpoint === 'string' ? await knownCheckpoint(checkpoint, logKey) : undefined;
  const everyHead = options['everyHead'] === true;
  const existed = await existedIn(options, known);
  const report = await verifyShowing({ layout, logKey, everyHead, ...(known && { known: known.head }) });
  if (!report.ok) return printBad(report, { keysFrom, json });
  process.exitCode = existed?.ok === false ? EXIT.no : EXIT.yes;
  if (json) return out.json({ ...report, ...(existed && { existed }), keysFrom });
  printGood(report, { keysFrom, known: known?.head, everyHead, existed });
}

/** The log's key; the verdict where entry 0, which says whose log it is, is damaged. */
async function keyOf(layout: LogLayout, trust: unknown): Promise<NoteKey | BadLog> {
  try {
    return typeof trust === 'string' ? await trustedKey(layout, trust) : readIdentity(layout).logKey;
  } catch (cause) {
    if (!(cause instanceof LogFault) || cause.code !== 'log_damaged') throw cause;
    return { ok: false, code: cause.code, message: cause.message, index: cause.index };
  }
}

/** What a timestamp says of the known checkpoint; undefined where none was given. */
async function existedIn(
  options: TimestampFlags,
  known: KnownCheckpoint | undefined,
): Promise<TimestampOutcome | undefined> {
  const given = readTimestamp(options);
  if (!given) return undefined;
  const data = timestampedBytes(known?.text ?? '');
  if (!data) throw usageFailure('--timestamp needs --checkpoint: the checkpoint that it is over');
  const { response, ...believed } = given;
  return verifyTimestamp(response, { data, ...believed });
}

interface KnownCheckpoint {
  readonly text: string;
  readonly head: TreeHead;
}

async function trustedKey(layout: LogLayout, file: string): Promise<NoteKey> {
  const trust = parseTrust(node, await readGiven(file));
  if ('fault' in trust) throw unable(`${file} is not a trust file: ${trust.fault}`);
  const { origin } = readIdentity(layout);
  const key = trust.logs.find(({ name }) => name === origin);
  if (!key)
    throw new CommandFailure(
      EXIT.no,
      `${file} does not know a log named ${origin}`,
      `It is of ${trust.logs.map(({ name }) => name).join(', ')}: name the trust file of this log.`,
    );
  return key;
}

/** A checkpoint, a proof's, or that of a denial. */
async function knownCheckpoint(file: string, logKey: NoteKey): Promise<KnownCheckpoint> {
  const checkpoint = checkpointIn(await readGiven(file));
  const head = verifyCheckpoint(node, checkpoint, [logKey]);
  if (head) return { text: checkpoint, head };
  const unsigned = parseHead(parseNote(checkpoint)?.text ?? '');
  throw unable(
    unsigned
      ? `the checkpoint in ${file} is not signed by the key of ${logKey.name}`
      : `there is no checkpoint in ${file}`,
  );
}

function printGood(report: GoodLog, { keysFrom, known, everyHead, existed }: ShownBeside): void {
  const { size, batches, vouched } = report;
  out.line(`${out.paint('good', 'verified')}  ${out.paint('strong', report.origin)}`);
  out.line();
  out.fields([
    ['entries', `${size}, in ${batches} batches: positions, chain, tree and every head`],
    ['root', report.root],
    [
      'signatures',
      everyHead ? 'of every head' : 'of the checkpoint, all heads after it, the last of each segment',
    ],
    ['checkpoint', `signed over ${vouched} entries`],
    [
      'open end',
      vouched < size ? `${size - vouched} entries that the checkpoint file does not cover yet` : undefined,
    ],
    ['torn end', report.torn > 0 ? `${report.torn} bytes after the last whole batch` : undefined],
    [
      'tiles',
      report.missingTiles > 0 ? `${report.missingTiles} missing; the next start makes them again` : undefined,
    ],
    [
      'pruned',
      report.pruned
        ? {
            text: `${prunedRange(report.pruned.until)}, as entry ${report.pruned.entry} says: their hashes lead to the root, what they said cannot be hashed again`,
            style: 'warn',
          }
        : undefined,
    ],
    ['proven', known ? `append-only from ${known.size} to ${size}` : undefined],
    existedField(existed, known),
    ['not proven', { text: known ? `the end after ${known.size}` : END_UNPROVEN, style: 'warn' }],
    ['key from', keysFrom],
  ]);
}

interface ShownBeside {
  readonly keysFrom: string;
  readonly known: TreeHead | undefined;
  readonly everyHead: boolean;
  readonly existed: TimestampOutcome | undefined;
}

function existedField(
  existed: TimestampOutcome | undefined,
  known: TreeHead | undefined,
): readonly [string, Cell] {
  if (!existed) return ['existed', undefined];
  if (!existed.ok) return ['existed', { text: `NO, ${existed.detail}`, style: 'bad' }];
  return ['existed', `the first ${known?.size ?? 0} entries, ${sayTimestamp(existed.value)}`];
}

const END_UNPROVEN =
  'that nothing was cut off at the end, or the whole log rewritten by its key’s holder: give --checkpoint';

function printBad(report: BadLog, { keysFrom, json }: { keysFrom: string; json: unknown }): void {
  process.exitCode = EXIT.no;
  if (json) return out.json({ ...report, keysFrom });
  const { code, message, index } = report;
  out.line(
    `${out.paint('bad', code)}${index === undefined ? '' : `  ${out.paint('strong', `entry ${index}`)}`}`,
  );
  out.line();
  out.line(out.paint('warn', message));
}

/** More threads would wait for the one that builds the tree. */
const MOST_THREADS = 3;

/** Verifies on all cores; a person at a terminal sees how far it is. */
async function verifyShowing(verification: LogVerification): Promise<GoodLog | BadLog> {
  const crew = new ScanCrew(Math.min(availableParallelism(), MOST_THREADS));
  const bar = progressBar('entries');
  try {
    return await verifyLargeLog({ ...verification, onProgress: (done, all) => bar.show(done, all) }, crew);
  } finally {
    bar.stop();
    await crew.close();
  }
}
