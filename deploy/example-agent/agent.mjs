// A small agent: it waits for the sidecar, makes a call that its grant covers and one that it does not,
// and prints both answers. All it knows of Writ: HTTP_PROXY, the file with its grant, and one header.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

const origin = process.env.ORIGIN ?? 'http://origin.example:8080';
const ready = process.env.WRIT_READY ?? 'http://127.0.0.1:15020/readyz';
const grantFile = process.env.GRANT_FILE ?? '/run/secrets/grant/token';
const proxied = new Agent({ proxyEnv: process.env });

process.on('SIGTERM', () => process.exit(0));
await sidecarReady();
console.log('permitted:', await call('GET', `${origin}/hello`));
console.log('refused:', await call('DELETE', `${origin}/hello`));
// An agent goes on working; this one has nothing more to do, and a pod whose container ends is restarted.
if (process.argv.includes('--stay')) await new Promise(() => setInterval(() => {}, 60_000));

/** Resolves when the sidecar says that keys, policy, log and listeners are good. */
async function sidecarReady() {
  for (;;) {
    const status = await send('GET', ready, {}, undefined).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    await pause(200);
  }
}

/** One call through the proxy, as a line of JSON. The grant is read each time: a mounted secret may be renewed. */
async function call(method, url) {
  const grant = readFileSync(grantFile, 'utf8').trim();
  return JSON.stringify(await send(method, url, { 'Writ-Grant': grant }, proxied));
}

async function send(method, url, headers, agent) {
  const response = await new Promise((resolve, reject) => {
    request(url, { method, headers, agent }, resolve).on('error', reject).end();
  });
  return { status: response.statusCode, body: await text(response) };
}
