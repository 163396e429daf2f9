/**
 * Every timeout of an upstream as a table: on each way in, to each kind of upstream, each of which falls silent at one step.
 * The one timeout that is meant is short, all others are long: what ends a call is what is said to end it.
 */
import t from 'tap';
import type { Test } from 'tap';
import { systemClock } from '../../src/config/system.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { failures } from '../../src/proxy/upstream/failure.ts';
import type { FailureName } from '../../src/proxy/upstream/failure.ts';
import { assertReceipt } from './denied.ts';
import type { Overrides, Recorded } from './home.ts';
import { carriers } from './silent-calls.ts';
import type { Carrier, Heard } from './silent-calls.ts';
import { startPeers } from './silent-peers.ts';
import type { Peers, Place } from './silent-peers.ts';
import { startTunnels } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';

/** A step of a call, and who falls silent there. */
interface Silence {
  readonly step: string;
  /** `manner` or `manner-kind`. */
  readonly at: RegExp;
  /** The first segment of its path. */
  readonly path?: string;
  /** Whether it comes behind the answer's head. */
  readonly within?: true;
  readonly ways?: RegExp;
}

/** A sidecar, and how its calls end. */
interface Table {
  readonly settings: Overrides;
  readonly entry?: Readonly<Record<string, number>>;
  readonly silences: readonly Silence[];
  /** Its time runs from the call's beginning: on a slow machine it may be over before an answer begins. */
  readonly overall?: true;
  readonly by: (silence: Silence, way: string) => FailureName | DenialCode;
}

const CONNECTING: readonly Silence[] = [
  { step: 'TCP', at: /^hole/ },
  { step: 'TLS', at: /^mute-(tls|h2)$/ },
];
const ANSWERING: readonly Silence[] = [
  { step: 'an answer', at: /^polite/, path: 'head' },
  { step: 'an answer behind a hint', at: /^polite/, path: 'hint', ways: /^(absolute|HTTP\/2)/ },
  { step: 'a word', at: /^(deaf|mute-(plain|h2c))/ },
];
const WITHIN: readonly Silence[] = [
  { step: 'the rest', at: /^(polite|mute-closed)/, path: 'body', within: true },
  { step: 'the rest of what is no WebSocket', at: /^polite/, path: 'declined', within: true, ways: /^Web/ },
];
const ALL = [...CONNECTING, ...ANSWERING, ...WITHIN];

/** Nothing else ends a call. */
const PATIENT = { dns_timeout_ms: 60_000, connect_timeout_ms: 60_000 };
const SHORT_MS = 50;

const tables = (peers: Peers): Readonly<Record<string, Table>> => ({
  'upstream.connect_timeout_ms': {
    settings: {
      upstream: { ...PATIENT, connect_timeout_ms: SHORT_MS, proxy: peers.proxy, proxy_except: ['127.0.0.1'] },
    },
    silences: [
      ...CONNECTING,
      { step: 'a proxy', at: /^proxied/ },
      { step: 'TLS behind a proxy', at: /^behind/ },
    ],
    by: () => 'connect_timeout',
  },
  'upstream.head_timeout_ms': {
    settings: { upstream: { ...PATIENT, head_timeout_ms: SHORT_MS } },
    silences: ANSWERING,
    by: () => 'head_timeout',
  },
  'upstream.idle_timeout_ms and websocket.idle_timeout_ms': {
    settings: {
      upstream: { ...PATIENT, idle_timeout_ms: SHORT_MS },
      websocket: { idle_timeout_ms: SHORT_MS },
    },
    silences: WITHIN,
    by: ({ path }, way) =>
      way.startsWith('WebSocket') && path === 'body' ? 'websocket_idle' : 'body_timeout',
  },
  'upstream.total_timeout_ms': {
    settings: { upstream: { ...PATIENT, total_timeout_ms: 1000 } },
    overall: true,
    silences: ALL,
    by: () => 'total_timeout',
  },
  'upstream.dns_timeout_ms': {
    settings: { upstream: { ...PATIENT, dns_timeout_ms: SHORT_MS } },
    silences: [{ step: 'a name', at: /^slow/ }],
    by: () => 'name_timeout',
  },
  'max_seconds of a grant': {
    settings: { upstream: PATIENT },
    entry: { max_seconds: 1 },
    overall: true,
    silences: ALL,
    by: () => 'lease_seconds',
  },
});

/** A call of the table. */
interface Row {
  readonly name: string;
  readonly place: Place;
  readonly carrier: Carrier;
  readonly path: string;
  readonly by: FailureName | DenialCode;
  /** Whether it was answered before it ended. */
  readonly isAnswered: (heard: Heard) => boolean;
}

function rowsOf({ silences, by, overall }: Table, { places }: Peers): readonly Row[] {
  const rows: Row[] = [];
  for (const silence of silences)
    for (const [way, carrier] of Object.entries(carriers))
      for (const place of places) {
        if (!silence.at.test(place.name) || !carrier.kinds.includes(place.kind)) continue;
        if (silence.ways?.test(way) === false) continue;
        const name = `${way}, ${place.name}: no ${silence.step}`;
        const path = `/${silence.path ?? 'head'}/${rows.length}`;
        const isAnswered = ({ status }: Heard): boolean =>
          silence.within === true && !(overall && status >= 400);
        rows.push({ name, place, carrier, path, by: by(silence, way), isAnswered });
      }
  return rows;
}

const isFailure = (by: FailureName | DenialCode): by is FailureName => by in failures;

/** The permit of this call. */
function permitOf(log: readonly Recorded[], { carrier, path, place }: Row): Recorded | undefined {
  return log.find(({ is }) => {
    const call = (is['call'] ?? {}) as Readonly<Record<string, unknown>>; // an entry of our own log
    const isIt = call['origin'] === place.url && call['path'] === (carrier.action === 'CONNECT' ? '' : path);
    return is['verdict'] === 'permit' && isIt;
  });
}

/** What the agent heard. */
function assertHeard(t: Test, on: Tunnels, { name, by, isAnswered }: Row, heard: Heard): void {
  if (isAnswered(heard)) {
    t.match(heard, { status: /^(200|101)$/, broken: true }, `${name}: it breaks off`);
    if (heard.close !== undefined) t.equal(heard.close, isFailure(by) ? 1014 : 1008, name);
  } else if (isFailure(by)) {
    t.match(heard, { status: 504, body: `"urn:writ:upstream:${by}"`, broken: false }, name);
  } else {
    t.match(heard, { status: 403, broken: false }, name);
    assertReceipt(t, on.home, { body: heard.body, code: by });
  }
}

/** What is on record of it, and what the operator reads. */
function assertRecorded(t: Test, { log, said }: Left, row: Row, heard: Heard): void {
  const { name, by, carrier, isAnswered } = row;
  const permit = permitOf(log, row)?.seq;
  if (by === 'name_timeout') return void t.equal(permit, undefined, `${name}: nothing was permitted`);
  const outcomes = log.filter(({ type, is }) => type === 'outcome' && is['permit'] === permit);
  t.match(outcomes, [{ is: isFailure(by) ? { ended: 'upstream-error' } : { ended: 'cut', by } }], name);
  const status = isAnswered(heard) && carrier.action !== 'CONNECT' ? heard.status : undefined;
  t.equal(outcomes[0]?.is['status'], status, `${name}: what was answered`);
  const line = said.find(({ permit: of, ended }) => of === permit && ended !== undefined);
  t.match(line, isFailure(by) ? { why: new RegExp(`^${by}`) } : { by }, `${name}: is told`);
}

/** What a sidecar has written when it has stopped. */
interface Left {
  readonly log: readonly Recorded[];
  readonly said: Tunnels['said'];
}

/** Timers of the sidecar, which all run on one clock, and sockets of this process. */
class Held {
  readonly #timers = new Set<object>();

  constructor(t: Test) {
    const { after } = systemClock;
    const watched = (milliseconds: number, then: () => void): (() => void) => {
      const timer = {};
      this.#timers.add(timer);
      const over = (): boolean => this.#timers.delete(timer);
      const cancel = after(milliseconds, () => (over(), then()));
      return () => (over(), cancel());
    };
    Object.assign(systemClock, { after: watched });
    t.teardown(() => Object.assign(systemClock, { after }));
  }

  get now(): { readonly timers: number; readonly sockets: number } {
    const sockets = process.getActiveResourcesInfo().filter((name) => name.startsWith('TCPSocket'));
    return { timers: this.#timers.size, sockets: sockets.length };
  }

  /** Resolves when there is no more than there was. */
  async back(to: Held['now']): Promise<void> {
    while (this.now.timers > to.timers || this.now.sockets > to.sockets)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const held = new Held(t);
const peers = await startPeers(t);

for (const [timeout, table] of Object.entries(tables(peers)))
  t.test(timeout, async (t) => {
    const rows = rowsOf(table, peers);
    const on = await startTunnels(t, {
      origins: peers.places,
      settings: {
        ...table.settings,
        routes: peers.places.map(({ name, kind, url }) => ({
          ...{ prefix: `/${name}`, upstream: url },
          ...(kind.startsWith('h2') && { http: 'h2' }),
        })),
        tls: { passthrough: peers.places.filter(({ kind }) => kind === 'closed').map(({ url }) => new URL(url).host) },
      },
    });
    const before = held.now;
    const grant = on.home.grant({ entry: { actions: ['GET', 'UPGRADE', 'CONNECT'], ...table.entry } });
    const heard = await Promise.all(rows.map(({ carrier, place, path }) => carrier.ask({ on, place, path, grant })));
    await peers.left();
    await held.back(before);
    await on.sidecar.stop();
    const left = { log: on.home.entries(), said: on.said };
    for (const [i, row] of rows.entries()) {
      const answer = heard[i];
      if (!answer) continue;
      assertHeard(t, on, row, answer);
      assertRecorded(t, left, row, answer);
    }
    t.match(on.said.find(({ msg }) => msg === 'stopping'), { running: 0 }, 'no lease is left');
  }); // prettier-ignore
