/** `writ dev`: everything embedded, on one screen, to try and to write policies. */
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isatty } from 'node:tty';
import type { Command } from 'commander';
import { makeLog } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { node } from '../crypto/node.ts';
import { AuthorityFault, isFree, setStage } from '../demo/stage.ts';
import type { Stage } from '../demo/stage.ts';
import { allowedScene, policyScene, verifyOffline } from '../demo/story.ts';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import { formatTrust, parseTrust } from '../receipt/trust-file.ts';
import { homeState } from '../sidecar/home.ts';
import { watchPolicy } from './dev-policy.ts';
import type { WatchedPolicy } from './dev-policy.ts';
import { unable, usageFailure } from './exit.ts';
import { LiveList } from './live.ts';
import { version } from './version.ts';
import { runUntilStopped, startFailure } from './run-sidecar.ts';
import { rereadFor } from './serve.ts';
import { addSettingsFlags, requireSettings } from './settings-flags.ts';
import { tell, tellScene, tellTitle, tellVerdict } from './tell.ts';
import { tellPlaces, tellWelcome } from './welcome.ts';

const DEMO_PORT = 18080;

interface DevOptions {
  readonly policy?: string;
  readonly tour?: boolean;
}

/** Adds the command. */
export function registerDev(program: Command): void {
  addSettingsFlags(program.command('dev'))
    .option('--policy <folder>', 'compile this folder of .rego, and again at every save')
    .option('--tour', 'first play an allowed call, a refused one and its verification')
    .description(
      'Sidecar, authority, policy and a demo upstream in one process. Makes its home where there is none, prints ' +
        'commands to try, and shows calls as they come.',
    )
    .action((options: DevOptions, command: Command) => dev(options, command));
}

async function dev(options: DevOptions, command: Command): Promise<void> {
  const { settings: asked } = requireSettings(command);
  const { settings, moved } = await onFreePorts(asked);
  if (homeState(settings.home) === 'foreign')
    throw usageFailure(
      `${settings.home} is not empty and not a home of Writ`,
      'Name another folder with --home.',
    );
  const log = makeLog(settings.log.level === 'info' ? 'error' : settings.log.level, process.stderr);
  const live = new LiveList();
  const upstreamPort = (await isFree(DEMO_PORT)) ? DEMO_PORT : 0;
  const reread = (): ReturnType<typeof rereadFor> => rereadFor(command);
  const stage = await setStage({
    settings,
    log,
    version: version(),
    observers: [live],
    upstreamPort,
    reread,
    activateOnly: options.policy !== undefined,
  }).catch((cause: unknown) => {
    throw cause instanceof AuthorityFault ? unable(cause.message) : startFailure(cause);
  });
  const ending = new AbortController();
  const stop = async (): Promise<void> => {
    ending.abort();
    await stage.stop();
    const policy = await opening.catch(() => undefined);
    await policy?.close();
  };
  const onTerminal = process.stdout.isTTY;
  const abandoned = (): boolean => onTerminal && !isatty(process.stdout.fd); // its window was closed
  const stopped = runUntilStopped({ sidecar: stage.sidecar, stop, abandoned }, log); // hears Ctrl-C from here on
  const busy = upstreamPort === 0 ? [...moved, 'demo upstream'] : moved;
  const opening = open(stage, options, { home: settings.home, moved: busy, ending: ending.signal });
  try {
    await opening;
  } catch (cause) {
    if (!ending.signal.aborted) {
      await stop(); // it listens by now
      throw cause;
    }
  }
  live.begin();
  process.exitCode = await stopped;
}

interface Opening {
  readonly home: string;
  /** What could not have its usual port. */
  readonly moved: readonly string[];
  readonly ending: AbortSignal;
}

/** All that is told and played before calls are shown; breaks off where the end comes first. */
async function open(
  stage: Stage,
  { policy: folder, tour = false }: DevOptions,
  { home, moved, ending }: Opening,
): Promise<WatchedPolicy | undefined> {
  const shown = shortPath(home);
  tellPlaces(stage, { home: shown, moved });
  const policy = folder === undefined ? undefined : await watchPolicy(folder, stage.sidecar);
  try {
    if (tour) await playTour(stage, home, ending);
    if (!ending.aborted) tellWelcome(stage, { home: shown, tour });
    return policy;
  } catch (cause) {
    await policy?.close();
    throw cause;
  }
}

/** A busy default port is no reason not to start: another is taken, and said. */
async function onFreePorts(settings: Settings): Promise<{ settings: Settings; moved: readonly string[] }> {
  const moved: string[] = [];
  const listen = { ...settings.listen };
  for (const name of ['forward', 'reverse', 'transparent', 'admin'] as const) {
    const at = listen[name];
    if (!at || at.port === 0 || (await isFree(at.port))) continue;
    listen[name] = { ...at, port: 0 };
    moved.push(`${name} port`);
  }
  return { settings: { ...settings, listen }, moved };
}

/** Leaves `denial.json` and `trust.json` in the home, for whoever wants to verify by hand. */
async function playTour(stage: Stage, home: string, ending: AbortSignal): Promise<void> {
  const { receiptKey, logKey } = readIdentity(layoutOf(home));
  const trustText = formatTrust(receiptKey, logKey);
  const trust = parseTrust(node, trustText);
  if ('fault' in trust) throw new Error(trust.fault);
  const allowed = await allowedScene(stage);
  ending.throwIfAborted(); // a sidecar that stops refuses every call
  tellScene(1, allowed);
  const refused = await policyScene(stage);
  ending.throwIfAborted();
  tellScene(2, refused);
  writeFileSync(join(home, 'denial.json'), refused.answer.body);
  writeFileSync(join(home, 'trust.json'), trustText);
  tellTitle(3, 'That refusal, verified offline from its body and the trust file alone');
  tellVerdict(verifyOffline(refused.answer.body, trust));
  tell(`left for you: ${shortPath(join(home, 'denial.json'))} and ${shortPath(join(home, 'trust.json'))}`);
}

function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short || '.';
}
