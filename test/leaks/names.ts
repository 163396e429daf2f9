/**
 * An agent that shakes hands under ever new names on the transparent port, where TLS is opened before anybody has shown
 * a grant. By hand: `node test/leaks/names.ts [count]`; one name, a tenth as often, comes first, to compare.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import { makeHome } from '../e2e/home.ts';
import type { Teardown } from '../e2e/home.ts';

import { rootFile, startTlsOrigin } from '../e2e/tls-origin.ts';
import { askInside } from '../e2e/tunnels.ts';
import { IMAGE_FLAGS } from '../image-flags.ts';
import { tlsAuthorityPaths } from '../../src/sidecar/tls-authority.ts';

/** Handshakes, and what they cost. */
export interface Shaken {
  readonly count: number;
  readonly seconds: number;
  /** Of the sidecar's CPU, for each. */
  readonly milliseconds: number;
  /** Resident, more than before. */
  readonly mebibytes: number;
  /** Statuses of an honest agent's calls meanwhile, each on a connection of its own, and how long they took. */
  readonly honest: readonly number[];
  readonly honestMs: readonly number[];
}

/** A sidecar on whose transparent port names can be worn out. */
export interface Names {
  readonly sidecar: ChildSidecar;
  /** Shakes hands under these names, some at a time, while an honest agent calls. */
  shake(names: readonly string[]): Promise<Shaken>;
}

const AT_ONCE = 8;
const HONEST_EVERY = 25;
const TICKS_A_SECOND = 100; // USER_HZ, proc(5)

/** Starts it; it goes with `t`. */
export async function startNames(t: Teardown): Promise<Names> {
  const origin = await startTlsOrigin(t);
  const settings = { upstream: { allow: [`127.0.0.1:${origin.port}`], extra_roots: rootFile } };
  const sidecar = await ChildSidecar.start(t, await makeHome(t, { origins: [origin], settings }), {
    nodeArgs: IMAGE_FLAGS,
  });
  const ca = readFileSync(tlsAuthorityPaths(sidecar.home.path).certificate);
  const secureContext = createSecureContext({ ca });
  const grant = sidecar.home.grant();
  const open = async (servername: string): Promise<TLSSocket> => {
    const socket = connect(sidecar.port('transparent'), '127.0.0.1');
    const tls = connectTls({ socket, servername, secureContext, ALPNProtocols: ['http/1.1'] });
    await once(tls, 'secureConnect'); // verified: the certificate is for that name
    return tls;
  };
  const call = async (): Promise<number> => {
    const tls = await open('localhost');
    const head = `GET /a HTTP/1.1\r\nHost: localhost:${origin.port}\r\nWrit-Grant: ${grant}\r\nConnection: close\r\n\r\n`;
    const { status } = await askInside(tls, head);
    tls.destroy();
    return status;
  };

  const shake = async (names: readonly string[]): Promise<Shaken> => {
    const [rss, cpu, began] = [sidecar.memory('VmRSS'), cpuSeconds(sidecar.pid), performance.now()];
    const honest: number[] = [];
    const honestMs: number[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < names.length) {
        const n = next++;
        (await open(names[n] ?? '')).destroy();
        if (n % HONEST_EVERY !== 0) continue;
        const asked = performance.now();
        honest.push(await call());
        honestMs.push(performance.now() - asked);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return {
      count: names.length,
      seconds: (performance.now() - began) / 1000,
      milliseconds: ((cpuSeconds(sidecar.pid) - cpu) * 1000) / names.length,
      mebibytes: (sidecar.memory('VmRSS') - rss) / 1024,
      ...{ honest, honestMs },
    };
  };
  return { sidecar, shake };
}

/** What a process took so far, as proc(5) tells. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** So many names that nobody has asked for yet. */
export function freshNames(count: number, series: string): readonly string[] {
  return Array.from({ length: count }, (_, i) => `host-${i}.${series}.test`);
}

if (import.meta.main) {
  const count = Number(process.argv[2] ?? 10_000);
  const last: (() => unknown)[] = [];
  const { shake } = await startNames({ teardown: (then) => void last.unshift(then) });
  const tell = (kind: string, { honest, honestMs, ...shaken }: Shaken): void => {
    const sorted = [...honestMs].sort((a, b) => a - b);
    const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
    console.log(
      JSON.stringify({
        kind,
        ...shaken,
        honest: honest.length,
        refused: honest.filter((each) => each !== 200).length,
        p50: at(0.5),
        p99: at(0.99),
      }),
    );
  };
  await shake(freshNames(1000, 'warm'));
  tell('one name', await shake(Array.from({ length: count / 10 }, () => 'one.test')));
  tell('ever new names', await shake(freshNames(count, 'new')));
  for (const then of last) await then();
}
