/** Agents whose connections the kernel redirects: a network namespace, `iptables … REDIRECT`, another uid, and curl. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Json } from '../../src/crypto/json.ts';
import { inOwnNetwork, unableToRedirect } from './own-network.ts';
import { missing, run } from './program.ts';

/** What `redirected-stage.ts` prints. */
interface Staged {
  readonly ports: readonly [secure: number, plain: number, looping: number];
  readonly http2: string;
  readonly http1: string;
  readonly clear: string;
  readonly ungranted: string;
  readonly misdirected: string;
  readonly own: string;
  readonly looped: string;
  /** Requests that reached each origin. */
  readonly seen: readonly number[];
  readonly decisions: readonly Readonly<Record<string, Json>>[];
}

const STAGE = fileURLToPath(new URL('redirected-stage.ts', import.meta.url));
const skip = missing('curl') || unableToRedirect();

t.test('an agent that is redirected is governed, and cannot tell', { skip }, async (t) => {
  const [program, ...args] = inOwnNetwork([process.execPath, STAGE]);
  const { stdout, stderr } = await run(program, args);
  const staged = JSON.parse(stdout || JSON.stringify({ failed: stderr })) as Staged; // what the stage prints
  const [secure, plain, looping] = staged.ports;
  for (const way of ['http2', 'http1', 'clear'] as const) t.match(staged[way], '"path":"/a"', way);
  for (const [way, code] of [
    ['ungranted', 'grant_missing'],
    ['misdirected', 'authority_mismatch'],
    ['own', 'address_own'],
    ['looped', 'grant_missing'],
  ] as const)
    t.match(staged[way], `"code":"${code}"`, way);
  t.strictSame(staged.seen, [2, 1, 0]);

  const far = (port: number): object => ({ redirected: { original: `93.184.216.34:${port}` } });
  t.match(staged.decisions, [
    { verdict: 'permit', call: { origin: `https://localhost:${secure}` }, ...far(secure) },
    { verdict: 'permit', ...far(secure) },
    { verdict: 'permit', call: { origin: `http://127.0.0.1:${plain}` }, ...far(plain) },
    { code: 'grant_missing', ...far(secure) },
    { code: 'authority_mismatch', ...far(secure) },
    { code: 'connection_not_http', ...far(5432) },
    { code: 'address_own' },
    { verdict: 'permit', ...far(looping) },
    { code: 'grant_missing', redirected: { original: `127.0.0.1:${looping}` } },
  ]);
  t.match(staged.decisions[0]?.['assurance'], { keys: undefined }, 'the agent has another uid');
});
