/** `writ lineage compare`. */
import type { Command } from 'commander';
import { node } from '../../crypto/node.ts';
import { formatConsistency } from '../../lineage/consistency.ts';
import { compareViews } from '../../lineage/witness/fork-compare.ts';
import type { Comparison, LogView } from '../../lineage/witness/fork-compare.ts';
import { formatFork, verifyFork } from '../../lineage/witness/fork.ts';
import type { Fork } from '../../lineage/witness/fork.ts';
import type { NoteKey } from '../../lineage/note.ts';
import { parseTrust } from '../../receipt/trust-file.ts';
import { EXIT, unable, usageFailure } from '../exit.ts';
import { keyOfHome, viewAt } from '../log-view.ts';
import { readGiven, writeResult } from '../result-file.ts';
import { out } from '../screen.ts';

/** What is asked for. */
export interface CompareQuestion {
  readonly a: string | undefined;
  readonly b: string | undefined;
  readonly command: Command;
}

interface Options {
  readonly trust?: string;
  readonly check?: string;
  readonly output?: string;
  readonly json?: boolean;
}

/** Compares two views, or checks a proof of forking. Exit 0 same or extends, or the proof is good; 1 forked, or it is not. */
export async function compareLogs({ a, b, command }: CompareQuestion): Promise<void> {
  const options = command.opts<Options>();
  if (options.check !== undefined && a === undefined) return check(options.check, options);
  if (a === undefined || b === undefined || options.check !== undefined)
    throw usageFailure('name two views of a log, or one proof with --check');
  const { keys, from } = await knownKeys(options.trust, [a, b]);
  const [left, right] = await Promise.all([viewAt(a, keys), viewAt(b, keys)]);
  const compared = await compareViews(node, left, right);
  if (compared.verdict === 'unknown') throw unable(compared.why);
  process.exitCode = compared.verdict === 'forked' ? EXIT.no : EXIT.yes;
  const proof = proofOf(compared, left, right);
  if (proof !== undefined && options.output !== undefined) writeResult(proof, options.output);
  const sizes = { a: left.head.size, b: right.head.size };
  if (options.json) {
    const { verdict } = compared;
    return out.json({ verdict, origin: left.head.origin, ...sizes, proof, keysFrom: from });
  }
  out.line(sentenceOf(compared, sizes));
  out.line();
  out.fields([
    ['log', left.head.origin],
    ['proof', options.output ?? (proof === undefined ? undefined : 'not kept: name a file with -o')],
    ['key from', from],
  ]);
}

/** The two keys to believe: of a trust file, or of whichever side is a home. */
async function knownKeys(
  trust: string | undefined,
  places: readonly string[],
): Promise<{ readonly keys: readonly NoteKey[]; readonly from: string }> {
  if (trust !== undefined) return { keys: await trustedLogs(trust), from: trust };
  const home = places.find((place) => keyOfHome(place));
  const key = keyOfHome(home);
  if (!key) throw usageFailure('neither is a home: name the log’s key with --trust');
  return { keys: [key], from: `entry 0 of the log in ${home ?? ''}` };
}

async function trustedLogs(file: string): Promise<readonly NoteKey[]> {
  const trust = parseTrust(node, await readGiven(file));
  if ('fault' in trust) throw unable(`${file} is not a trust file: ${trust.fault}`);
  return trust.logs;
}

function proofOf(compared: Comparison, a: LogView, b: LogView): string | undefined {
  if (compared.verdict === 'forked') return formatFork(compared.evidence);
  if (compared.verdict !== 'extends') return undefined;
  const [older, newer] = compared.newer === 'b' ? [a, b] : [b, a];
  const { hashes } = compared;
  return formatConsistency({ oldSize: older.head.size, hashes, checkpoint: newer.note });
}

function sentenceOf(compared: Comparison, { a, b }: { readonly a: number; readonly b: number }): string {
  if (compared.verdict === 'forked')
    return `${out.paint('bad', 'forked')}  one key signed two histories: ${a} entries, and ${b} entries that do not agree`;
  if (compared.verdict === 'same') return `${out.paint('good', 'same')}  both are the tree of ${a} entries`;
  const [first, second] = a < b ? ['A', 'B'] : ['B', 'A'];
  return `${out.paint('good', 'extends')}  ${first} → ${second}: append-only from ${Math.min(a, b)} to ${Math.max(a, b)} entries`;
}

async function check(file: string, { trust, json }: Options): Promise<void> {
  if (trust === undefined) throw usageFailure('--check needs --trust: whose key should have signed twice?');
  const keys = await trustedLogs(trust);
  const verified = verifyFork(node, await readGiven(file), keys);
  process.exitCode = 'fork' in verified ? EXIT.yes : EXIT.no;
  if (json)
    return out.json(
      'fork' in verified ? { proven: true, ...summary(verified.fork) } : { proven: false, ...verified },
    );
  if ('fault' in verified) return out.line(`${out.paint('bad', 'not proven')}  ${verified.fault}`);
  const { origin, first, second } = summary(verified.fork);
  out.line(`${out.paint('good', 'proven')}  the key of ${origin} signed two histories`);
  out.line();
  out.fields([
    ['first', `${first} entries`],
    ['second', `${second} entries`],
    ['key from', trust],
  ]);
}

function summary({ first, second }: Fork): {
  readonly origin: string;
  readonly first: number;
  readonly second: number;
} {
  return { origin: first.origin, first: first.size, second: second.size };
}
