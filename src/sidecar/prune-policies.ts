/** Bundles that were kept for replay go once no entry of the log names them any more. */
import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { layoutOf } from '../lineage/layout.ts';
import { readEntries } from '../lineage/read.ts';
import { identifyRecorded } from '../policy/bundle.ts';
import type { BundleIdentity } from '../policy/decision.ts';
import { homeLayout } from './home.ts';

/** Decisions name the bundle that took them as `policy`; `policy:v1` entries are one. */
const NAMED = Buffer.from('"entrypoint":"');

/** Removes the folders of bundles that no entry from `from` on names; answers their digests. The active one stays. */
export function prunePolicies(home: string, from: number): readonly string[] {
  const { policies, activePolicy } = homeLayout(home);
  const kept = namesIn(policies); // before the entries: one that is activated meanwhile is not among them
  const named = namedFrom(layoutOf(home).segments, from);
  const gone = kept.filter((digest) => !named.has(digest));
  return gone.filter((digest) => {
    if (activeDigest(activePolicy) === digest) return false;
    rmSync(join(policies, digest), { recursive: true, force: true });
    return true;
  });
}

function namedFrom(segments: string, from: number): ReadonlySet<string> {
  const named = new Set<string>();
  for (const { bytes } of readEntries(segments, from)) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!text.includes(NAMED)) continue;
    const { predicate } = JSON.parse(text.toString('utf8')) as { predicate: Naming }; // an entry of our own
    for (const bundle of [predicate.policy, predicate])
      if (isBundle(bundle)) named.add(identifyRecorded(bundle));
  }
  return named;
}

type Bundle = Pick<BundleIdentity, 'data' | 'entrypoint' | 'wasm'>;
type Naming = Partial<Bundle> & { readonly policy?: Partial<Bundle> };

function isBundle(value: Partial<Bundle> | undefined): value is Bundle {
  return [value?.data, value?.entrypoint, value?.wasm].every((part) => typeof part === 'string');
}

function namesIn(policies: string): readonly string[] {
  try {
    return readdirSync(policies).filter((name) => /^[0-9a-f]{64}$/.test(name));
  } catch {
    return [];
  }
}

function activeDigest(link: string): string | undefined {
  try {
    return basename(readlinkSync(link));
  } catch {
    return undefined;
  }
}
