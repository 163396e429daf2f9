/** The home on disk (design.md §7): made in one step by `writ init`; `serve` never makes one. */
import { randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isThere } from '../config/file-fault.ts';
import { toBase64url } from '../crypto/base64.ts';
import { makeDirectory, replaceFile, syncDirectory } from '../lineage/durable.ts';
import { layoutOf } from '../lineage/layout.ts';

/** Where everything beside keys and log lies. */
export interface HomeLayout {
  /** Stands while the home is being made: only then may a half-made one be finished. */
  readonly marker: string;
  readonly authorities: string;
  readonly adminToken: string;
  /** Where the running sidecar says how to reach it. */
  readonly run: string;
  readonly policies: string;
  /** Link to the bundle in force. */
  readonly activePolicy: string;
}

/** A bundle to be installed: its digest names its folder. */
export interface FirstPolicy {
  readonly digest: string;
  /** `policy.wasm`, `data.json`, `.manifest`. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** What a fresh home is made with. */
export interface HomeParts {
  readonly home: string;
  readonly policy: FirstPolicy;
  /** Makes log key, receipt key and genesis. */
  readonly createLog: () => void;
}

const PRIVATE_FOLDER = 0o700;
const GROUP_AND_OTHERS = 0o077;
const TOKEN_BYTES = 32;

/** The layout of a home. */
export function homeLayout(home: string): HomeLayout {
  return {
    marker: join(home, '.initialising'),
    authorities: join(home, 'authorities.json'),
    adminToken: join(home, 'admin.token'),
    run: join(home, 'run.json'),
    policies: join(home, 'policy'),
    activePolicy: join(home, 'policy', 'active'),
  };
}

/** `foreign`: there is something in the folder, but no home that we made or began. */
export type HomeState = 'complete' | 'missing' | 'half-made' | 'foreign';

/** What stands at this path. */
export function homeState(home: string): HomeState {
  const found = statSync(home, { throwIfNoEntry: false });
  if (found && !found.isDirectory()) return 'foreign';
  const names = found ? readdirSync(home).filter((name) => name !== 'lost+found') : [];
  if (names.length === 0) return 'missing';
  if (isThere(homeLayout(home).marker)) return 'half-made';
  return names.includes('keys') || names.includes('lineage') ? 'complete' : 'foreign';
}

/** Secrets of a home that group or others may touch. */
export interface OpenHome {
  readonly first: string;
  /** How many beside it. */
  readonly more: number;
  /** The command that shuts them. */
  readonly remedy: string;
}

/** Of the home, its keys and its token; undefined where all are shut. */
export function openToOthers(home: string): OpenHome | undefined {
  const keys = layoutOf(home).keys;
  const secrets = [home, keys, ...namesIn(keys).map((name) => join(keys, name)), homeLayout(home).adminToken];
  const [first, ...more] = secrets.filter((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found !== undefined && (found.mode & GROUP_AND_OTHERS) !== 0;
  });
  return first === undefined ? undefined : { first, more: more.length, remedy: `chmod -R go= ${home}` };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Makes a home that is missing, or finishes a half-made one. The caller has looked at its state. */
export function makeHome({ home, policy, createLog }: HomeParts): void {
  const layout = homeLayout(home);
  makeDirectory(home);
  chmodSync(home, PRIVATE_FOLDER);
  replaceFile(layout.marker, '');
  createLog();
  if (!isThere(layout.adminToken)) replaceFile(layout.adminToken, toBase64url(randomBytes(TOKEN_BYTES)));
  if (!isThere(layout.authorities)) replaceFile(layout.authorities, '{"authorities":[]}\n');
  installPolicy(home, policy);
  rmSync(layout.marker);
  syncDirectory(home);
}

/** Puts a bundle into `policy/<digest>` and makes it the active one, in one step for whoever reads it meanwhile. */
export function installPolicy(home: string, { digest, files }: FirstPolicy): void {
  const { policies, activePolicy } = homeLayout(home);
  const folder = join(policies, digest);
  makeDirectory(policies);
  makeDirectory(folder);
  for (const [name, bytes] of Object.entries(files)) replaceFile(join(folder, name), bytes);
  const link = join(policies, `.${digest}.next`);
  rmSync(link, { force: true });
  symlinkSync(digest, link);
  renameSync(link, activePolicy);
  syncDirectory(policies);
}
