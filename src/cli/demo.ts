/** `writ demo`: a story that plays itself against a temporary home, and exits 0 if all went as told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { makeLog } from '../config/log.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { node } from '../crypto/node.ts';
import { setStage } from '../demo/stage.ts';
import type { Stage } from '../demo/stage.ts';
import {
  allowedScene,
  flipOneByte,
  policyScene,
  replayScene,
  scopeScene,
  verifyOffline,
} from '../demo/story.ts';
import type { Scene } from '../demo/story.ts';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import { formatTrust, parseTrust } from '../receipt/trust-file.ts';
import type { Trust } from '../receipt/trust-file.ts';
import { EXIT } from './exit.ts';
import { version } from './version.ts';
import { startFailure } from './run-sidecar.ts';
import { out } from './screen.ts';
import { tell, tellScene, tellTitle, tellVerdict } from './tell.ts';

/** Adds the command. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'Plays an allowed call, three denials, their offline verification and one flipped byte, and exits.',
    )
    .action(() => demo());
}

async function demo(): Promise<void> {
  const home = temporaryHome();
  const settings = demoSettings(join(home, 'home'));
  const options = { settings, log: makeLog('warn', process.stderr), version: version(), upstreamPort: 0 };
  try {
    const stage = await setStage({ ...options, reread: () => ({ ok: true, settings }) });
    try {
      process.exitCode = (await play(stage, settings.home)) ? EXIT.yes : EXIT.no;
    } finally {
      await stage.stop();
    }
  } catch (cause) {
    throw startFailure(cause);
  }
}

/** A folder that is gone when this process is, also where its reader leaves (`writ demo | head`) or a signal ends it. */
function temporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'writ-demo-'));
  // The log's thread may still write: then a folder is not empty, and is tried again.
  process.once('exit', () => rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  return home;
}

/** Defaults, whatever the folder and the environment say, on free ports. */
function demoSettings(home: string): Settings {
  const flags = ['forward', 'reverse', 'transparent', 'admin'].map((flag) => ({
    name: `listen.${flag}`,
    text: '0',
    flag,
  }));
  const loaded = loadSettings({ flags, env: { WRIT_HOME: home }, cwd: home.slice(0, home.lastIndexOf('/')) });
  if (!loaded.ok) throw new Error('the default settings have faults');
  return loaded.settings;
}

async function play(stage: Stage, home: string): Promise<boolean> {
  tellOpening(stage);
  const scenes: Scene[] = [];
  for (const scene of [allowedScene, policyScene, scopeScene, replayScene]) {
    const played = await scene(stage);
    scenes.push(played);
    tellScene(scenes.length, played);
  }
  const denials = scenes.slice(1).map(({ answer }) => answer.body);
  const trust = trustOf(home);
  const whole = tellVerification(scenes.length + 1, denials, trust);
  const found = tellFlip(scenes.length + 2, denials[0] ?? '', trust);
  out.line();
  tell(
    `The demo upstream saw ${stage.upstream.served()} calls: the permitted ones, and nothing of what was refused.`,
  );
  const asTold =
    scenes.every((scene) => scene.asTold) && whole && found && stage.upstream.served() === PERMITTED;
  tell(
    asTold
      ? 'That is all. `npm start` plays it where you can join in.'
      : 'Something went otherwise than told.',
  );
  return asTold;
}

/** The allowed call, and the first use of the single-use grant. */
const PERMITTED = 2;

function tellOpening({ sidecar, origin }: Stage): void {
  out.line(
    out.paint(
      'strong',
      'Writ: no call of an agent leaves without authority, and every refusal can be proven.',
    ),
  );
  out.line();
  tell(`An agent calls ${origin} through the sidecar at ${sidecar.urls.forward ?? ''}.`);
  tell('Each call brings a signed grant, is put to the policy, and goes on record before it leaves.');
}

function tellVerification(number: number, denials: readonly string[], trust: Trust): boolean {
  tellTitle(number, 'The three denials, verified offline: the bodies and the trust file, nothing else');
  const verdicts = denials.map((body) => verifyOffline(body, trust));
  const [first] = verdicts;
  if (!first) return false;
  tellVerdict(first);
  for (const sentence of first.unproven) tell(`not proven: ${sentence}`);
  const whole = verdicts.every(
    ({ authentic, untampered, anchored }) => authentic.proven && untampered.proven && anchored.proven,
  );
  tell(whole ? 'The other two verify likewise.' : 'Another one does not verify.');
  return whole;
}

function tellFlip(number: number, body: string, trust: Trust): boolean {
  tellTitle(number, 'The same denial with one byte changed');
  const verdict = verifyOffline(flipOneByte(body), trust);
  tellVerdict(verdict);
  return !verdict.authentic.proven;
}

function trustOf(home: string): Trust {
  const { receiptKey, logKey } = readIdentity(layoutOf(home));
  const trust = parseTrust(node, formatTrust(receiptKey, logKey));
  if ('fault' in trust) throw new Error(trust.fault);
  return trust;
}
