/** Each way in, before a recording origin: one sidecar for all cases of a file. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { TestHome } from '../e2e/home.ts';
import type { Sidecar } from '../../src/sidecar/sidecar.ts';
import type { Teardown } from '../e2e/home.ts';
import { openTunnel, startTunnels, tlsInside } from '../e2e/tunnels.ts';
import { isClear, startRecorder } from './recorder.ts';
import type { Recorder, Speech } from './recorder.ts';
import { lieInHttp1, lieInHttp2 } from './replies.ts';
import { wayOf } from './row.ts';
import type { CarrierName, Way } from './row.ts';

/** A sidecar, its origin, and one way to the one through the other. */
export interface Carrier {
  readonly name: CarrierName;
  readonly home: TestHome;
  readonly sidecar: Sidecar;
  readonly origin: Recorder;
  /** Of the forward port. */
  readonly port: number;
  /** Of the origin. */
  readonly scheme: string;
  /** What stands before a path in a target. */
  readonly base: string;
  /** The right `Host`. */
  readonly host: string;
  /** A connection on which HTTP/1 may be spoken; a tunnel is opened with this grant. */
  open(grant: string): Promise<Socket>;
  /** The same for HTTP/2: agreed on in TLS, or with prior knowledge. */
  openHttp2(grant: string): Promise<Socket>;
}

/** What the origin behind each speaks. */
function speechOf(name: CarrierName): Speech {
  const way = wayOf(name);
  const tls = way === 'tunnel' || way === 'transparent-tls';
  if (way === name) return tls ? 'tls' : 'clear';
  return tls ? 'h2' : 'h2-clear';
}

/** Where everything happens at once, nothing is quick. */
const PATIENT = { connect_timeout_ms: 60_000, dns_timeout_ms: 60_000 };

/** Starts a carrier; it goes with the test. */
export async function startCarrier(t: Teardown, name: CarrierName): Promise<Carrier> {
  const [way, speech] = [wayOf(name), speechOf(name)];
  const script = way === name ? lieInHttp1 : lieInHttp2;
  const origin = await startRecorder(t, { speech, script });
  const { home, sidecar, ca, port } = await startTunnels(t, {
    origins: [origin],
    settings: {
      routes: [{ upstream: origin.url }],
      upstream: { http: way !== name ? 'h2' : 'auto', ...PATIENT },
      tls: { plain_in_tunnel: way === 'plain-tunnel' },
      lineage: { inputs: 'keep' },
      log: { level: 'error' },
    },
  });
  const authority = new URL(origin.url).host;
  const portOf = (url = ''): number => Number(new URL(url).port);
  const redirected = (): Promise<Socket> => direct(portOf(sidecar.urls.transparent));
  const tunnel = async (grant: string): Promise<Socket> =>
    (await openTunnel(port, authority, { grant })).socket;
  const secureContext = createSecureContext({ ca: readFileSync(ca) });
  const inside = async (grant: string, protocol: string): Promise<Socket> => {
    const socket = await (way === 'transparent-tls' ? redirected() : tunnel(grant));
    return tlsInside(socket, ca, { servername: 'localhost', ALPNProtocols: [protocol], secureContext });
  };
  const open: Record<Way, (grant: string) => Promise<Socket>> = {
    forward: () => direct(port),
    reverse: () => direct(portOf(sidecar.urls.reverse)),
    tunnel: (grant) => inside(grant, 'http/1.1'),
    'plain-tunnel': tunnel,
    transparent: redirected,
    'transparent-tls': (grant) => inside(grant, 'http/1.1'),
  };
  return {
    ...{ name, home, sidecar, origin, port, host: authority, open: open[way] },
    scheme: isClear(speech) ? 'http' : 'https',
    base: way === 'forward' ? origin.url : '',
    openHttp2: (grant) => (isClear(speech) ? open[way](grant) : inside(grant, 'h2')),
  };
}

/** A connection to a port of this machine. */
export async function direct(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}
