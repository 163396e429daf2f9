/** `writ witness`: an outside cosigner of logs (c2sp.org/tlog-witness). */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { isThere } from '../config/file-fault.ts';
import { makeLog } from '../config/log.ts';
import type { Log } from '../config/log.ts';
import { endpoint } from '../config/values.ts';
import type { Endpoint } from '../config/values.ts';
import { node } from '../crypto/node.ts';
import { formatNoteKey, isNoteName } from '../lineage/note.ts';
import type { NoteKey } from '../lineage/note.ts';
import { createWitness, keepFork, readCosigner, readLogs, witnessLayout } from '../lineage/witness/home.ts';
import type { WitnessLayout } from '../lineage/witness/home.ts';
import { WitnessFile } from '../lineage/witness/memory.ts';
import { serveWitness } from '../lineage/witness/server.ts';
import { Witness } from '../lineage/witness/witness.ts';
import type { WitnessAnswer } from '../lineage/witness/witness.ts';
import { unable, usageFailure } from './exit.ts';
import { err } from './screen.ts';
import { systemFailure } from './system-fault.ts';

const FOLDER = '.writ-witness';
const LISTEN = '127.0.0.1:15030';

/** Adds `writ witness init|key|serve`. */
export function registerWitness(program: Command): void {
  const witness = program
    .command('witness')
    .description('An outside cosigner of logs: run it where the logs’ operator cannot reach it.');
  withFolder(witness.command('init').description('Make a witness: key, empty memory, empty list of logs.'))
    .requiredOption('--name <name>', 'its name in signatures, such as witness.example/1; never changed later')
    .action(({ folder, name }: { folder: string; name: string }) => init(resolve(folder), name));
  withFolder(
    witness.command('key').description('Print its verifier key, for logs and for verifiers.'),
  ).action(({ folder }: { folder: string }) => printKey(resolve(folder)));
  withFolder(witness.command('serve').description('Cosign. SIGHUP reads the list of logs again.'))
    .option('--listen <address:port>', 'where to listen; port 0 takes any free one', LISTEN)
    .option('--log-level <level>', 'what it says on stderr: debug, info, warn, error', 'info')
    .action((options: ServeOptions) => serve(options));
}

function withFolder(command: Command): Command {
  return command.option('--folder <folder>', 'where key, memory and list of logs are', FOLDER);
}

function init(folder: string, name: string): void {
  if (!isNoteName(name))
    throw usageFailure(`a witness cannot be named ${name}`, 'Neither white space nor + can stand in a name.');
  let created: boolean;
  try {
    created = createWitness(folder, name);
  } catch (cause) {
    throw systemFailure(cause) ?? unable(messageOf(cause));
  }
  err.line(created ? `made a witness in ${folder}` : `there is a witness in ${folder}; nothing was changed`);
  printKey(folder);
}

function printKey(folder: string): void {
  process.stdout.write(`${formatNoteKey(cosignerOf(witnessLayout(folder)).key)}\n`);
}

interface ServeOptions {
  readonly folder: string;
  readonly listen: string;
  readonly logLevel: string;
}

async function serve({ folder, listen, logLevel }: ServeOptions): Promise<void> {
  const layout = witnessLayout(resolve(folder));
  const at = endpointOf(listen);
  const log = makeLog(levelOf(logLevel), process.stderr);
  const cosigner = cosignerOf(layout);
  const memory = memoryOf(layout);
  let logs = logsOf(layout);
  const witness = new Witness({ suite: node, cosigner, memory, logs: () => logs, clock: () => Date.now() });
  process.on('SIGHUP', () => {
    const read = readLogs(layout.logs);
    if ('fault' in read)
      log.error('the list of logs cannot be used; the old one stays', { fault: read.fault });
    else logs = read;
  });
  const server = await serveWitness(
    {
      witness,
      memory,
      onAnswer: (answer) => report(layout, log, answer),
      onFault: (fault) => log.error('the witness failed', { cause: String(fault) }),
    },
    at,
  ).catch((cause: unknown) => {
    throw unable(`cannot listen on ${listen}: ${messageOf(cause)}`, 'Name another with --listen.');
  });
  const url = `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${server.port}`;
  log.info('the witness listens', {
    url,
    key: formatNoteKey(cosigner.key),
    logs: logs.map(({ name }) => name),
  });
  await new Promise((stop) => ['SIGTERM', 'SIGINT'].forEach((signal) => process.once(signal, stop)));
  await server.close();
  memory.close();
}

function report({ forks }: WitnessLayout, log: Log, { status, origin, body, fork }: WitnessAnswer): void {
  if (fork !== undefined)
    log.error('a log signed two histories', { origin, proof: keepFork(forks, fork) ?? 'not kept: too many' });
  else if (status === 422) log.error('a checkpoint does not extend the one before', { origin });
  else if (status === 200) log.debug('cosigned', { origin });
  else log.debug('did not cosign', { origin, status, why: body.trim() });
}

function cosignerOf({ key }: WitnessLayout): ReturnType<typeof readCosigner> {
  if (!isThere(key)) throw unable(`there is no witness key ${key}`, 'Make one with `writ witness init`.');
  try {
    return readCosigner(key);
  } catch (cause) {
    throw systemFailure(cause) ?? unable(messageOf(cause));
  }
}

/** A witness that forgot would cosign a second history: without its memory it does not start. */
function memoryOf({ memory }: WitnessLayout): WitnessFile {
  const there = isThere(memory);
  try {
    if (!there) throw new Error('it is missing');
    return new WitnessFile(memory);
  } catch (cause) {
    throw unable(
      `the witness’s memory ${memory} cannot be used: ${messageOf(cause)}`,
      'Restore the newest one. Where it is lost for good, retire this key and begin anew in another folder.',
    );
  }
}

function logsOf({ logs }: WitnessLayout): readonly NoteKey[] {
  const read = readLogs(logs);
  if ('fault' in read) throw unable(read.fault);
  return read;
}

function endpointOf(text: string): Endpoint {
  const parsed = endpoint.safeParse(text);
  if (!parsed.success || !parsed.data)
    throw usageFailure('--listen takes address:port, such as 127.0.0.1:15030');
  return parsed.data;
}

function levelOf(text: string): Parameters<typeof makeLog>[0] {
  const level = (['debug', 'info', 'warn', 'error'] as const).find((known) => known === text);
  if (!level) throw usageFailure('--log-level takes debug, info, warn or error');
  return level;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
