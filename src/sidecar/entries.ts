/** The entries that say under what the calls after them were decided. */
import { httpsPlace } from '../call/host.ts';
import { systemFresh } from '../config/system.ts';
import type { Settings } from '../config/schema.ts';
import { settingsDigest } from '../config/load.ts';
import type { Authority } from '../grant/authorities.ts';
import type { EntryRequest } from '../lineage/lineage.ts';
import { draft } from '../lineage/statement.ts';
import type { BundleIdentity } from '../policy/decision.ts';

/** `settings:v1`: on record before the first call under it. */
export function settingsEntry(
  settings: Settings,
  keys: {
    readonly authorities: readonly Authority[];
    readonly ca: string;
    readonly receipt: string;
    readonly log: string;
  },
): EntryRequest {
  const { authorities, ca, log, receipt } = keys;
  const witnessKeys = settings.witness.list.map(({ key }) => key).sort();
  const witnesses = witnessKeys.length > 0 ? { witnesses: witnessKeys } : {};
  return entry('settings', {
    digest: settingsDigest(settings),
    exceptions: settings.upstream.allow.map(spellAllowed).sort(),
    keys: { authorities: authorities.map(({ key }) => key.id).sort(), ca, log, receipt, ...witnesses },
    passthrough: passthroughPlaces(settings),
    routes: settings.routes.map(({ upstream }) => upstream).sort(),
  });
}

/** `host:port`, without brackets, of each host whose TLS stays closed, sorted. */
export function passthroughPlaces({ tls }: Settings): readonly string[] {
  return tls.passthrough.flatMap((text) => httpsPlace(text) ?? []).sort();
}

/** `policy:v1`: which bundle decides from here on, and what brought it. */
export function policyEntry(bundle: BundleIdentity, by: 'start' | 'reload'): EntryRequest {
  return entry('policy', { ...bundle, by });
}

/** `refusals:v1`: denials that were counted instead of recorded, over an interval (RFC 3339). */
export function refusalsEntry(
  counts: Readonly<Record<string, number>>,
  since: string,
  until: string,
): EntryRequest {
  return entry('refusals', { counts, since, until });
}

/** `10.0.0.0/8:443` or `[fd00::/8]:443`. */
export function spellAllowed({ address, bits, port }: Settings['upstream']['allow'][number]): string {
  return address.includes(':') ? `[${address}/${bits}]:${port}` : `${address}/${bits}:${port}`;
}

function entry(name: 'settings' | 'policy' | 'refusals', predicate: object): EntryRequest {
  return { ...draft(name, systemFresh().id, predicate), receipt: false };
}
