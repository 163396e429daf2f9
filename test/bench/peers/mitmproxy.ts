/** mitmproxy, the interceptor that most people know: it opens TLS, and decides and records nothing here. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';

const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address() as AddressInfo; // a TCP server that listens has one
probe.close();
await once(probe, 'close');

const confdir = mkdtempSync(join(tmpdir(), 'mitmproxy-'));
const child = spawn(
  'mitmdump',
  ['--quiet', '--ssl-insecure', '--set', `confdir=${confdir}`, '--listen-host', '127.0.0.1', '-p', `${port}`],
  { stdio: 'ignore' },
);
child.once('exit', () => {
  rmSync(confdir, { recursive: true, force: true });
  process.exit();
});
process.once('SIGTERM', () => child.kill());
while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 100));
process.stdout.write(`${JSON.stringify({ port })}\n`);

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
