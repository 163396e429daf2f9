/** What a running sidecar may be told anew (SIGHUP, `POST /api/reload`), and what needs a restart. */
import { readFileSync } from 'node:fs';
import { settingsTable } from '../config/schema.ts';
import type { Settings } from '../config/schema.ts';
import { canonicalJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';

/** Settings that a reload applies; a change of any other is named, and waits for the next start. */
const LIVE: ReadonlySet<string> = new Set(settingsTable.filter(({ live }) => live).map(({ name }) => name));

/** The running settings with what a reload may change taken from the new ones. */
export function applyLive(running: Settings, wanted: Settings): Settings {
  return {
    ...running,
    routes: wanted.routes,
    grant: { ...running.grant, authorities: wanted.grant.authorities },
    policy: { ...running.policy, bundle: wanted.policy.bundle },
    lineage: { ...running.lineage, path: wanted.lineage.path },
    tls: { ...running.tls, passthrough: wanted.tls.passthrough, plain_in_tunnel: wanted.tls.plain_in_tunnel },
    upstream: { ...running.upstream, allow: wanted.upstream.allow },
    limits: { ...running.limits, max_bound_body_bytes: wanted.limits.max_bound_body_bytes },
  };
}

/** Names of changed settings that only a restart applies. */
export function needRestart(running: Settings, wanted: Settings): readonly string[] {
  const before = flat(running);
  return Object.entries(flat(wanted)).flatMap(([name, text]) =>
    text === before[name] || LIVE.has(name) ? [] : [name],
  );
}

/** A small text file, or undefined where it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** `section.name` → its value as canonical text. */
function flat(settings: Settings): Readonly<Record<string, string>> {
  const rows = Object.entries(settings as unknown as Record<string, Json>).flatMap(([section, value]) => {
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isSection) return [[section, canonicalJson(value)] as const];
    return Object.entries(value).map(
      ([name, inner]) => [`${section}.${name}`, canonicalJson(inner)] as const,
    );
  });
  return Object.fromEntries(rows);
}
