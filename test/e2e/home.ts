/** A home as `writ init` makes it, with the settings file beside it and one authority whose key the test holds. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { readFileSync, renameSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 } from 'uuid';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/schema.ts';
import type { Json } from '../../src/crypto/json.ts';
import { node } from '../../src/crypto/node.ts';
import { issueGrant } from '../../src/grant/issue.ts';
import type { GrantOrder } from '../../src/grant/issue.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { formatTrust, parseTrust } from '../../src/receipt/trust-file.ts';
import type { Trust } from '../../src/receipt/trust-file.ts';
import { makeDefaultHome } from '../../src/sidecar/first-home.ts';
import { homeLayout } from '../../src/sidecar/home.ts';
import type { HomeLayout } from '../../src/sidecar/home.ts';
import { authoritiesText, authority, ISS, makeToken } from '../grant/tokens.ts';
import type { Recipe } from '../grant/tokens.ts';

/** What has to go when a test is over. */
export interface Teardown {
  teardown(then: () => unknown): void;
}

/** Settings by section, laid over the usual ones. */
export type Overrides = Readonly<Record<string, object>>;

/** How a home is set up. */
export interface HomePlan {
  readonly settings?: Overrides;
  /** Servers on 127.0.0.1 that calls may reach; the first has the reverse route `/api`. */
  readonly origins?: readonly { readonly port: number; readonly url: string }[];
}

/** One entry of the log. */
export interface Recorded {
  readonly seq: number;
  /** `decision`, `outcome` … */
  readonly type: string;
  /** The UUID of its subject. */
  readonly id: string;
  /** The members of the predicate, `entry` among them. */
  readonly is: Readonly<Record<string, Json>>;
  /** The entry as it stands in the log. */
  readonly text: string;
}

/** What a grant for tests may say differently; by default all methods at the home's origins for ten minutes. */
export type GrantWish = Partial<Omit<GrantOrder, 'authorization_details'>> & {
  readonly entry?: Readonly<Record<string, Json>>;
};

const ANY_PORT = '127.0.0.1:0';
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'];

/** A home in a folder of its own. */
export class TestHome {
  /** Holds settings file and home. */
  readonly folder: string;
  readonly path: string;
  readonly settingsFile: string;
  readonly layout: HomeLayout;
  readonly #plan: HomePlan;
  #origin = '';

  constructor(folder: string, plan: HomePlan) {
    this.folder = folder;
    this.path = join(folder, 'home');
    this.settingsFile = join(folder, 'writ.yaml');
    this.layout = homeLayout(this.path);
    this.#plan = plan;
  }

  /** Makes what is on disk. */
  async make(): Promise<void> {
    this.configure();
    this.#origin = await makeDefaultHome(this.settings());
    this.authorize();
  }

  /** The log's origin: the audience of grants. */
  get origin(): string {
    return this.#origin;
  }

  /** Writes the settings file anew, with these laid over the plan's. */
  configure(over: Overrides = {}): void {
    const { origins = [], settings = {} } = this.#plan;
    const usual: Overrides = {
      listen: { forward: ANY_PORT, reverse: ANY_PORT, transparent: ANY_PORT, admin: ANY_PORT },
      upstream: { allow: origins.map(({ port }) => `127.0.0.1:${port}`) },
      denial: { recorded_burst: 10_000 },
      log: { level: 'debug' },
    };
    const joined = joinSections(joinSections(usual, settings), over);
    const routes = origins.slice(0, 1).map(({ url }) => ({ prefix: '/api', upstream: url }));
    const text = JSON.stringify({ home: this.path, routes, ...joined }, null, 2);
    writeFileSync(`${this.settingsFile}.new`, text);
    renameSync(`${this.settingsFile}.new`, this.settingsFile); // a reload never reads half of it
  }

  /** The settings as the sidecar reads them. Throws where they are faulty. */
  settings(): Settings {
    const loaded = loadSettings({ flags: [], configFile: this.settingsFile, env: {}, cwd: this.folder });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
    return loaded.settings;
  }

  /** Writes the list of authorities: by default the one that signs these tests' grants. */
  authorize(text = authoritiesText(authority)): void {
    writeFileSync(this.layout.authorities, text);
  }

  /** A token that must be issuable. */
  grant({ entry = {}, ...order }: GrantWish = {}): string {
    const locations = (this.#plan.origins ?? []).map(({ url }) => url);
    const scope = { type: 'writ_http', locations, actions: METHODS, ...entry };
    const whole = { iss: ISS, sub: 'agent:test', aud: this.#origin, seconds: 600, ...order };
    const issuance = { now: Date.now(), jti: v7() };
    const issued = issueGrant(authority, { ...whole, authorization_details: [scope] }, issuance);
    if (!issued.ok) throw new Error(`${issued.code}: ${issued.detail}`);
    return issued.value.token;
  }

  /** A token that no authority would issue: a good one after a change to its recipe. */
  forge(change: (recipe: Recipe) => void): string {
    return makeToken((recipe) => {
      const iat = Math.floor(Date.now() / 1000);
      const locations = (this.#plan.origins ?? []).map(({ url }) => url);
      const scope = { type: 'writ_http', locations, actions: METHODS };
      const usual = { aud: this.#origin, jti: v7(), iat, exp: iat + 600, authorization_details: [scope] };
      Object.assign(recipe.payload, usual);
      change(recipe);
    });
  }

  /** All entries so far, oldest first. */
  entries(from = 0): readonly Recorded[] {
    return [...readEntries(layoutOf(this.path).segments, from)].map(({ seq, bytes }) =>
      readRecorded(seq, Buffer.from(bytes).toString()),
    );
  }

  /** The first entry that is so, now or as soon as it is there. */
  async entry(test: (entry: Recorded) => boolean): Promise<Recorded> {
    const watcher = watch(layoutOf(this.path).segments);
    try {
      for (;;) {
        const changed = once(watcher, 'change');
        const found = this.entries().find(test);
        if (found) return found;
        await changed;
      }
    } finally {
      watcher.close();
    }
  }

  /** The outcome of a permit. */
  outcome(permit: number): Promise<Recorded> {
    return this.entry(({ type, is }) => type === 'outcome' && is['permit'] === permit);
  }

  /** What a verifier of this home's denials believes. */
  trust(): Trust {
    const { receiptKey, logKey } = readIdentity(layoutOf(this.path));
    const trust = parseTrust(node, formatTrust(receiptKey, logKey));
    if ('fault' in trust) throw new Error(trust.fault);
    return trust;
  }

  /** The operator's bearer token. */
  adminToken(): string {
    return readFileSync(this.layout.adminToken, 'utf8').trim();
  }
}

/** A home that goes with the test. */
export async function makeHome(t: Teardown, plan: HomePlan = {}): Promise<TestHome> {
  const folder = await mkdtemp(join(tmpdir(), 'writ-e2e-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const home = new TestHome(folder, plan);
  await home.make();
  return home;
}

function joinSections(under: Overrides, over: Overrides): Overrides {
  const names = [...new Set([...Object.keys(under), ...Object.keys(over)])];
  return Object.fromEntries(
    names.map((name) => {
      const list = over[name] ?? under[name] ?? {};
      return [name, Array.isArray(list) ? list : { ...under[name], ...over[name] }];
    }),
  );
}

function readRecorded(seq: number, text: string): Recorded {
  const { predicate, predicateType, subject } = JSON.parse(text) as {
    predicate: Record<string, Json>;
    predicateType: string;
    subject: [{ name: string }];
  }; // an entry of our own log
  const type = predicateType.slice('urn:writ:'.length, -':v1'.length);
  return { seq, type, id: subject[0].name.slice('urn:uuid:'.length), is: predicate, text };
}
