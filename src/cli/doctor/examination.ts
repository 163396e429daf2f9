/** Everything the doctor looks at, in the order in which things depend on each other. */
import type { Command } from 'commander';
import { faultText } from '../../config/fault.ts';
import { homeState } from '../../sidecar/home.ts';
import { askSidecar } from '../admin-call.ts';
import { readRunning } from '../running.ts';
import type { Running } from '../running.ts';
import { loadFor } from '../settings-flags.ts';
import { clientFindings } from './clients.ts';
import { bad, good, SETTINGS } from './finding.ts';
import type { Finding } from './finding.ts';
import {
  authoritiesFinding,
  diskFinding,
  homeFinding,
  logFindings,
  policyFinding,
  shutFinding,
  upstreamFindings,
} from './home.ts';
import { tracingFinding } from './tracing.ts';
import { loaderFinding, nodeFinding, portFindings, proxyFinding, sidecarFinding } from './machine.ts';

/** All findings. With faulty settings nothing that depends on them is looked at. */
export async function findings(command: Command): Promise<readonly Finding[]> {
  const machine = [nodeFinding(process.versions.node), loaderFinding(process.env), proxyFinding(process.env)];
  const loaded = loadFor(command);
  if (!loaded.ok) {
    const next = 'docs/settings.md lists every setting.';
    return [...machine, ...loaded.faults.map((fault) => bad(SETTINGS, faultText(fault), next))];
  }
  const { settings, file } = loaded;
  const running = readRunning(settings.home);
  const found = good(SETTINGS, file ?? 'no settings file; defaults, environment and flags');
  const shut = shutFinding(settings.home);
  if (shut) return [...machine, found, shut, ...(await portFindings(settings, running))];
  const inside = homeState(settings.home) === 'missing' ? [] : await insideFindings(settings);
  return [
    ...machine,
    found,
    homeFinding(settings.home),
    ...inside,
    ...(await portFindings(settings, running)),
    await sidecarFinding(running),
    ...(await statusFindings(settings.home, running)),
  ];
}

/** Its status is asked for once: of one that hangs, too. */
async function statusFindings(home: string, running: Running | undefined): Promise<readonly Finding[]> {
  const asked = askSidecar(home, { path: '/api/status' });
  const tracing = await tracingFinding(running, asked);
  return [tracing, ...(running ? await clientFindings(asked) : [])];
}

type LoadedSettings = Extract<ReturnType<typeof loadFor>, { readonly ok: true }>['settings'];

async function insideFindings(settings: LoadedSettings): Promise<readonly Finding[]> {
  return [
    ...logFindings(settings.home, Date.now()),
    diskFinding(settings),
    authoritiesFinding(settings),
    await policyFinding(settings),
    ...upstreamFindings(settings),
  ];
}
