/** A port whose host drops every SYN: a listener that accepts nothing, and whose backlog is full. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Teardown } from './home.ts';

const LISTENER = `require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
  console.log(this.address().port);
});`;
const FILLERS = 8;
const QUIET_MS = 300;

/** Opens one; it goes with the test. */
export async function openBlackHole(t: Teardown): Promise<number> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
  const fillers: Socket[] = [];
  t.teardown(() => {
    for (const filler of fillers) filler.destroy();
    child.kill('SIGKILL');
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const port = Number(line);
  child.kill('SIGSTOP');
  for (let i = 0; i < FILLERS; i++) {
    const filler = connect(port, '127.0.0.1').on('error', () => undefined);
    fillers.push(filler);
    if (!(await accepted(filler))) return port; // its SYN, and any other, is dropped
  }
  throw new Error('the backlog does not fill');
}

/** The kernel answers on loopback at once, or not at all. */
function accepted(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const silent = setTimeout(() => resolve(false), QUIET_MS);
    socket.once('connect', () => (clearTimeout(silent), resolve(true)));
  });
}
