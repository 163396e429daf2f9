/** An agent that opens connections, as many as it can, on a machine that allows few. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, watch } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { layoutOf } from '../../src/lineage/layout.ts';
import { makeHome } from '../e2e/home.ts';
import { RawAgent } from '../proxy/small-gate.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const FILES = 200;

t.test(
  'it leaves the log the descriptors that it needs',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const home = await makeHome(t);
    const command = `ulimit -n ${FILES} && exec "$0" "$@"`;
    const args = ['-c', command, process.execPath, BIN, 'serve', '--config', home.settingsFile];
    const sidecar = spawn('sh', args, { cwd: home.folder, stdio: ['ignore', 'ignore', 'pipe'] });
    t.teardown(() => sidecar.kill('SIGKILL'));
    const said: string[] = [];
    for await (const line of createInterface({ input: sidecar.stderr })) {
      said.push(line);
      if (line.includes('"listening"')) break;
    }
    t.match(said.join('\n'), /"wanted":1024,"taken":12,"descriptors":200,.*raise the limit of open files/);
    const urls = JSON.parse(readFileSync(home.layout.run, 'utf8')) as { forward: string; admin: string }; // what serve wrote
    const sockets: Socket[] = [];
    t.teardown(() => sockets.forEach((socket) => socket.destroy()));
    const flood = (url: string): Promise<unknown> => {
      const opened = Array.from({ length: FILES }, () => connect(Number(new URL(url).port), '127.0.0.1'));
      sockets.push(...opened);
      return Promise.all(
        opened.map((socket) =>
          once(
            socket.on('error', () => undefined),
            'connect',
          ),
        ),
      );
    };
    await flood(urls.admin);
    const { checkpoint, directory } = layoutOf(home.path);
    const before = statSync(checkpoint).ino;
    const vouched = new Promise<void>((resolve) => {
      const watcher = watch(directory, () => {
        if (statSync(checkpoint, { throwIfNoEntry: false })?.ino !== before) resolve();
      });
      t.teardown(() => watcher.close());
    });
    for (let i = 0; i < 10; i++) await flood(urls.forward); // again, into the gaps that refused ones leave
    const agent = new RawAgent(Number(new URL(urls.forward).port)); // for which a silent one makes room
    sockets.push(agent.socket);
    agent.socket.write('GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await agent.hears(' 403 ');
    const died = once(sidecar, 'exit').then(() => 'died');
    t.equal(await Promise.race([vouched.then(() => 'goes on'), died]), 'goes on');
  },
);
