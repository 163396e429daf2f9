/** Everything embedded: home, authority, demo upstream and sidecar in one process, for `writ dev` and `writ demo`. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { grantEntry } from '../authority/entry.ts';
import { makeAuthority } from '../authority/make.ts';
import { authorityRoutes } from '../authority/routes.ts';
import { Authority } from '../authority/service.ts';
import type { GrantWish } from '../authority/service.ts';
import { isThere } from '../config/file-fault.ts';
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { systemClock, systemFresh } from '../config/system.ts';
import { loadSigner } from '../crypto/node.ts';
import type { PrivateJwk, Signer } from '../crypto/node.ts';
import type { Observer } from '../gate/observer.ts';
import { parseAuthorities } from '../grant/authorities.ts';
import type { IssuedGrant } from '../grant/issue.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { makeDefaultHome } from '../sidecar/first-home.ts';
import type { Sidecar } from '../sidecar/sidecar.ts';
import { startSidecar } from '../sidecar/start.ts';
import type { SidecarOptions } from '../sidecar/start.ts';
import { startDemoUpstream } from './upstream.ts';
import type { DemoUpstream } from './upstream.ts';

/** What a stage is set up with. */
export interface StageOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly version: string;
  readonly observers?: readonly Partial<Observer>[];
  /** Port of the demo upstream; 0 takes a free one. */
  readonly upstreamPort: number;
  readonly reread: SidecarOptions['reread'];
  readonly activateOnly?: boolean;
}

/** A stage that is set. */
export interface Stage {
  readonly sidecar: Sidecar;
  readonly upstream: DemoUpstream;
  /** Origin of the demo upstream. */
  readonly origin: string;
  /** Issues a grant, on record. */
  issue(wish: GrantWish): Promise<string>;
  stop(): Promise<void>;
}

const ISSUER = 'urn:writ:authority:dev';

/** The home has an authority that cannot be embedded. The message says what to do. */
export class AuthorityFault extends Error {
  override readonly name = 'AuthorityFault';
}

/** Sets the stage. Rejects as `startSidecar` does; whatever was started is stopped again. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { home } = options.settings;
  await makeDefaultHome(options.settings);
  const keyFile = join(layoutOf(home).keys, 'authority.jwk');
  const anchors = options.settings.grant.authorities;
  if (!isThere(keyFile)) makeAuthority({ keyFile, anchors, iss: ISSUER });
  const upstream = await startDemoUpstream(options.upstreamPort);
  const origin = `http://127.0.0.1:${upstream.port}`;
  let authority: Authority | undefined;
  try {
    const sidecar = await startSidecar({
      ...options,
      settings: withDemo(options.settings, upstream.port),
      reread: () => rereadWithDemo(options, upstream.port),
      exposed: true,
      authority: (lineage) => {
        authority = embeddedAuthority({ keyFile, anchors, settings: options.settings, lineage });
        return authorityRoutes({ authority, record: recorder(lineage) });
      },
    });
    const issue = (wish: GrantWish): Promise<string> => issueFrom(authority, sidecar.lineage, wish);
    return { sidecar, upstream, origin, issue, stop: () => sidecar.stop().finally(() => upstream.close()) };
  } catch (cause) {
    await upstream.close();
    throw cause;
  }
}

/** Whether nobody listens on this port of 127.0.0.1 yet. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** The demo upstream named exactly, and a reverse route to it. */
function withDemo(settings: Settings, port: number): Settings {
  const { routes, upstream } = settings;
  return {
    ...settings,
    routes: [...routes, demoRoute(port)],
    upstream: { ...upstream, allow: [...upstream.allow, { address: '127.0.0.1', bits: 32, port }] },
  };
}

function demoRoute(port: number): Settings['routes'][number] {
  return { prefix: '/demo', upstream: `http://127.0.0.1:${port}`, encoded_slash: 'reject', overrides: [] };
}

function rereadWithDemo(options: StageOptions, port: number): ReturnType<StageOptions['reread']> {
  const reread = options.reread();
  return reread.ok ? { ok: true, settings: withDemo(reread.settings, port) } : reread;
}

interface AuthoritySource {
  readonly keyFile: string;
  readonly anchors: string;
  readonly settings: Settings;
  readonly lineage: Lineage;
}

/** Throws `AuthorityFault`, and what the disk throws. */
function embeddedAuthority({ keyFile, anchors, settings, lineage }: AuthoritySource): Authority {
  const signer = readSigner(keyFile);
  const list = parseAuthorities(readFileSync(anchors, 'utf8'));
  if (!list.ok) throw new AuthorityFault(`${anchors}: ${list.fault}. Mend it.`);
  const pair = list.authorities.find(({ key }) => key.id === signer.key.id);
  if (!pair)
    throw new AuthorityFault(
      `${anchors} does not list the key in ${keyFile}. Add its public half (\`writ keys show --json\`), or ${ANEW}.`,
    );
  return new Authority({
    signer,
    iss: pair.iss,
    audience: settings.grant.audience ?? lineage.origin,
    maxLifetimeSeconds: settings.grant.max_lifetime_seconds,
    wall: systemClock.wall,
    uuid: () => systemFresh().id,
  });
}

const ANEW = 'move that file away: another key is made then';

function readSigner(file: string): Signer {
  const text = readFileSync(file, 'utf8');
  try {
    return loadSigner(JSON.parse(text) as PrivateJwk); // loadSigner checks it
  } catch {
    throw new AuthorityFault(`${file} is not an Ed25519 private key as JWK. Restore it, or ${ANEW}.`);
  }
}

function recorder(lineage: Lineage): (issued: IssuedGrant) => Promise<void> {
  return async (issued) => {
    await lineage.append(grantEntry(systemFresh().id, issued));
  };
}

async function issueFrom(
  authority: Authority | undefined,
  lineage: Lineage,
  wish: GrantWish,
): Promise<string> {
  const issued = authority?.issue(wish);
  if (!issued?.ok) throw new Error(`the demo's grant was refused: ${issued?.code ?? 'no authority'}`);
  await recorder(lineage)(issued.value);
  return issued.value.token;
}
