/** `writ receipt`: show and verify denials, offline, from their JSON body alone. */
import type { Command } from 'commander';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { node } from '../crypto/node.ts';
import { denials } from '../denial/table.ts';
import type { DenialCode } from '../denial/table.ts';
import { openEnvelope } from '../receipt/dsse.ts';
import { existedBefore, limitsWith } from '../receipt/existed.ts';
import type { Existed } from '../receipt/verdict.ts';
import { parseTrust } from '../receipt/trust-file.ts';
import type { Trust } from '../receipt/trust-file.ts';
import type { Verdict } from '../receipt/verdict.ts';
import type { Remembered } from '../receipt/verify-checkpoint.ts';
import { verifyDenial } from '../receipt/verify.ts';
import { answerRows } from './answers.ts';
import { textTrouble } from './denial-text.ts';
import { CommandFailure, EXIT, unable, usageFailure } from './exit.ts';
import { checkpointIn } from './log-view.ts';
import { readGiven } from './result-file.ts';
import { err, out } from './screen.ts';
import { memberOf, statementFields, textOf } from './statement-fields.ts';
import { readTimestamp, TIMESTAMP_FLAG, TSA_POLICY_FLAG, TSA_ROOTS_FLAG } from './timestamp-flags.ts';
import type { TimestampFlags } from './timestamp-flags.ts';

/** Adds `writ receipt show|verify`. */
export function registerReceipt(program: Command): void {
  const receipt = program
    .command('receipt')
    .description('Denials are receipts: signed, and provable offline.');
  receipt
    .command('show')
    .description('Show what a denial’s receipt says, without verifying anything.')
    .argument('<file>', 'the body of a 403, or a receipt; - for standard input')
    .option('--json', 'the signed statement as JSON')
    .action((file: string, options: { json?: boolean }) => show(file, options.json === true));
  receipt
    .command('verify')
    .description('Verify a denial offline. Exit 0 only where it is authentic, untampered and anchored.')
    .argument('<file>', 'the body of a 403, exactly as it came; - for standard input')
    .requiredOption('--trust <file>', 'the trust file: whose keys to believe (`writ trust export` makes it)')
    .option(
      '--proof <file>',
      'take this tlog-proof of the same entry instead, such as one that witnesses have cosigned since',
    )
    .option(
      '--checkpoint <file>',
      'a checkpoint (or proof, or denial) of this log that you kept: is it one history?',
    )
    .option('--consistency <file>', 'the consistency proof between the two (`writ lineage consistency`)')
    .option('--timestamp <file>', `${TIMESTAMP_FLAG}: of the denial’s own checkpoint, or of --checkpoint`)
    .option('--tsa-roots <file>', TSA_ROOTS_FLAG)
    .option('--tsa-policy <oid>', TSA_POLICY_FLAG)
    .option('--json', 'the verdict as JSON')
    .action((file: string, options: VerifyOptions) => verify(file, options));
}

interface VerifyOptions extends TimestampFlags {
  readonly trust: string;
  readonly proof?: string;
  readonly checkpoint?: string;
  readonly consistency?: string;
  readonly json?: boolean;
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  const { trust: trustFile, proof, json } = options;
  const [trust, remembered] = [await readTrust(trustFile), await readRemembered(options)];
  const body = withoutLastLineFeed(await readGiven(file));
  const given = proof === undefined ? body : withProof(body, await readGiven(proof));
  const verdict = verifyDenial(node, given, { ...trust, remembered });
  const { authentic, untampered, anchored, appendOnly } = verdict;
  const stamp = readTimestamp(options);
  const existed = stamp && (await existedBefore(verdict, { ...stamp, remembered: remembered?.checkpoint }));
  const asked = [
    authentic,
    untampered,
    anchored,
    ...(remembered ? [appendOnly] : []),
    ...(existed ? [existed] : []),
  ];
  process.exitCode = asked.every(({ proven }) => proven) ? EXIT.yes : EXIT.no;
  const hints = hintsFor({ file, body, trust }, verdict);
  const limits = existed ? limitsWith(verdict, existed) : verdict.unproven;
  if (json) out.json({ ...verdict, unproven: limits, ...(existed && { existed }), trust: trustFile });
  else print({ ...verdict, unproven: limits }, existed);
  for (const line of hints) err.line(err.paint('warn', line));
}

interface Evidence {
  readonly file: string;
  readonly body: string;
  readonly trust: Trust;
}

/** What a verdict alone does not say: that another file was meant. */
function hintsFor({ file, body, trust }: Evidence, { authentic, untampered }: Verdict): readonly string[] {
  if (authentic.proven && untampered.proven) return [];
  const trouble = textTrouble(body);
  if (trouble !== undefined) return [`${nameOf(file)}: ${trouble}`];
  const log = claimedLog(readStatement(parseStrictJson(body)));
  const known = trust.logs.map(({ name }) => name);
  if (log === undefined || known.includes(log)) return [];
  return [`${nameOf(file)} claims to be of ${log}, and ${trust.from} is of ${known.join(', ')}.`];
}

function claimedLog(statement: Json | undefined): string | undefined {
  return textOf(memberOf(memberOf(memberOf(statement, 'predicate'), 'entry'), 'origin'));
}

const nameOf = (file: string): string => (file === '-' ? 'standard input' : file);

/** What the verifier kept of the log. */
async function readRemembered({ checkpoint, consistency }: VerifyOptions): Promise<Remembered | undefined> {
  if (checkpoint === undefined && consistency === undefined) return undefined;
  if (checkpoint === undefined)
    throw usageFailure('--consistency needs --checkpoint: a proof between which two?');
  return {
    checkpoint: checkpointIn(await readGiven(checkpoint)),
    consistency: consistency === undefined ? undefined : await readGiven(consistency),
  };
}

/** The body with another proof: nothing that was signed is over the proof, it proves by itself. */
function withProof(body: string, proof: string): string {
  const parsed = parseStrictJson(body);
  const replaced = isJsonObject(parsed) && Object.hasOwn(parsed, 'proof') && JSON.stringify(parsed) === body;
  return replaced ? JSON.stringify({ ...parsed, proof }) : body;
}

async function readTrust(file: string): Promise<Trust> {
  const trust = parseTrust(node, await readGiven(file), file);
  if ('fault' in trust)
    throw unable(
      `${file} is not a trust file: ${trust.fault}`,
      'Get a good one: `writ trust export` makes it.',
    );
  return trust;
}

function print(verdict: Verdict, existed?: Existed): void {
  const { statement, unproven, cosigned, keysFrom } = verdict;
  const rows = answerRows(verdict, existed);
  out.table(
    [],
    rows.map(([question, mark, detail]) => [{ text: question, style: 'strong' }, mark, detail]),
  );
  out.line();
  if (statement) out.fields(statementFields(statement));
  if (statement) out.line();
  out.fields([
    ...cosigned.map(
      ({ name, time }) => ['cosigned', `by ${name} at ${timeText(time)}, by its own clock`] as const,
    ),
    ...unproven.map((limit) => ['not proven', { text: limit, style: 'warn' }] as const),
    ['keys from', `${keysFrom}: the verdict is worth as much as the channel that this file came over`],
  ]);
}

/** A witness may say any number. */
function timeText(time: number): string {
  const date = new Date(time * 1000);
  return Number.isNaN(date.getTime()) ? `${time} s` : date.toISOString();
}

async function show(file: string, json: boolean): Promise<void> {
  const text = withoutLastLineFeed(await readGiven(file));
  const statement = readStatement(parseStrictJson(text));
  if (statement === undefined)
    throw new CommandFailure(EXIT.no, `there is no receipt in ${nameOf(file)}`, textTrouble(text));
  if (json) return out.json(statement);
  out.line(out.paint('warn', 'Not verified: anyone can write this. `writ receipt verify` tells.'));
  out.line();
  out.fields([...statementFields(statement), ...meaning(statement)]);
}

/** The sentences that belong to its code: ours, so they hold for a forged receipt as well. */
function meaning(statement: Json): readonly (readonly [name: string, text: string])[] {
  const code = textOf(memberOf(memberOf(statement, 'predicate'), 'code'));
  if (code === undefined || !Object.hasOwn(denials, code)) return [];
  const { title, remedy } = denials[code as DenialCode]; // as: hasOwn
  return [
    ['means', title],
    ['what now', remedy],
  ];
}

function readStatement(given: Json | undefined): Json | undefined {
  const envelope = isJsonObject(given) && Object.hasOwn(given, 'receipt') ? given['receipt'] : given;
  const payload = openEnvelope(envelope)?.payload;
  return parseStrictJson((payload && decodeUtf8(payload)) ?? '');
}

/** Editors and `echo` put one at the end of a file; it is not part of the body. */
function withoutLastLineFeed(text: string): string {
  return text.replace(/\r?\n$/, '');
}
