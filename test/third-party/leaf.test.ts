/** Leaves of the sidecar’s authority before the clients that agents bring: accepted for their host, and for no other. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, isIP } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import type { Test } from 'tap';
import {
  CertificateAuthority,
  makeCertificateAuthority,
} from '../../src/proxy/tunnel/certificate-authority.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { unlessInstalled } from './tool.ts';

const run = promisify(execFile);
const here = (name: string): string => fileURLToPath(new URL(`tls/${name}`, import.meta.url));
const HOUR_MS = 3_600_000;
const PATIENCE = { timeout: 60_000 };

const NAMES = [
  'api.example.com',
  'internal',
  'xn--bcher-kva.example',
  `${'long-'.repeat(11)}label.over-the-64-characters-of-a-common-name.example.com`,
  `${`${'x'.repeat(62)}.`.repeat(4)}z`, // 253 characters, as many as a name can have
  '127.0.0.1',
  '::1',
];
/** Its server has a leaf, and not its own. */
const WRONG = 'wrong.example.com';

/** What each server says; a browser runs it, and it calls the others. */
const SCRIPT = `
  const said = location.hash.slice(1).split(',').map(async (at) => {
    const ok = await fetch('https://' + at, { mode: 'no-cors' }).then(() => 'ok', () => 'refused');
    return '[' + at + ' ' + ok + ']';
  });
  Promise.all(said).then((all) => (document.body.textContent = 'heard ' + all.join('')));
`;
const BODY = `<!doctype html><title>leaf</title><body>before<script>${SCRIPT}</script>`;
const PAGE = `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;

interface Hosted {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

/** An authority, its certificate as a file, and a server for each name and the wrong one. */
async function stage(t: Test): Promise<{ folder: string; ca: string; hosted: readonly Hosted[] }> {
  const folder = scratchFolder(t);
  const ca = join(folder, 'ca.pem');
  const authority = new CertificateAuthority(makeCertificateAuthority(Date.now()), () => Date.now());
  writeFileSync(ca, authority.pem);
  const hosted = await Promise.all(
    [...NAMES, WRONG].map((host) => serveAs(t, authority, host)), // in parallel: each only listens
  );
  return { folder, ca, hosted };
}

async function serveAs(t: Test, authority: CertificateAuthority, host: string): Promise<Hosted> {
  const secureContext = authority.contextFor(host === WRONG ? 'other.example.com' : host);
  const open = new Set<Socket>();
  const server = createServer((tcp) => {
    open.add(tcp);
    const tls = new TLSSocket(tcp, { isServer: true, secureContext });
    tls.on('error', () => tcp.destroy());
    tls.once('data', () => tls.end(PAGE));
  });
  const address = host === '::1' ? '::1' : '127.0.0.1';
  server.listen(0, address);
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const tcp of open) tcp.destroy();
  });
  return { host, address, port: (server.address() as AddressInfo).port }; // it listens on TCP
}

const triples = (hosted: readonly Hosted[]): readonly string[] =>
  hosted.map(({ host, address, port }) => `${host},${address},${port}`);

/** `host ok` for all but the wrong one. */
function assertSaid(t: Test, said: string): void {
  const lines = said.trim().split('\n');
  for (const host of NAMES) t.ok(lines.includes(`${host} ok`), host, { said });
  t.ok(
    lines.some((line) => line.startsWith(`${WRONG} `) && line !== `${WRONG} ok`),
    WRONG,
  );
}

t.test('OpenSSL verifies them strictly', { skip: unlessInstalled('openssl', 'version') }, async (t) => {
  const folder = scratchFolder(t);
  const authority = new CertificateAuthority(makeCertificateAuthority(Date.now()), () => Date.now());
  const [ca, leaf] = [join(folder, 'ca.pem'), join(folder, 'leaf.pem')];
  writeFileSync(ca, authority.pem);
  const strictly = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca];
  for (const host of NAMES) {
    writeFileSync(leaf, authority.leaf(host, { from: Date.now() - HOUR_MS, until: Date.now() + HOUR_MS }));
    const option = isIP(host) ? '-verify_ip' : '-verify_hostname';
    const { stdout } = await run('openssl', [...strictly, option, host, leaf]);
    t.match(stdout, /: OK$/m, host);
    await t.rejects(run('openssl', [...strictly, option, isIP(host) ? '127.0.0.2' : WRONG, leaf]), host);
  }
});

t.test('curl accepts them', { skip: unlessInstalled('curl', '--version') }, async (t) => {
  const { ca, hosted } = await stage(t);
  for (const { host, address, port } of hosted) {
    const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const resolve = isIP(host) ? [] : ['--resolve', `${at}:${address}`];
    const asking = run('curl', ['-sS', '--noproxy', '*', '--cacert', ca, ...resolve, `https://${at}/`]);
    if (host === WRONG) await t.rejects(asking, /no alternative certificate subject name|SSL/, host);
    else t.match((await asking).stdout, 'leaf', host);
  }
});

t.test('Python accepts them strictly', { skip: unlessInstalled('python3', '--version') }, async (t) => {
  const { ca, hosted } = await stage(t);
  assertSaid(t, (await run('python3', [here('leaf.py'), ca, ...triples(hosted)], PATIENCE)).stdout);
});

t.test('Go accepts them', { skip: unlessInstalled('go', 'version') }, async (t) => {
  const { folder, ca, hosted } = await stage(t);
  const program = join(folder, 'leaf');
  await run('go', ['build', '-o', program, here('leaf.go')], PATIENCE);
  assertSaid(t, (await run(program, [ca, ...triples(hosted)], PATIENCE)).stdout);
});

t.test('Java accepts them', { skip: unlessInstalled('javac', '-version') }, async (t) => {
  const { folder, ca, hosted } = await stage(t);
  const store = ['-keystore', join(folder, 'trust.p12'), '-storepass', 'changeit'];
  await run('keytool', ['-importcert', '-noprompt', '-alias', 'writ', '-file', ca, ...store], PATIENCE);
  const trust = ['trustStore=' + join(folder, 'trust.p12'), 'trustStorePassword=changeit'];
  const told = trust.map((text) => `-Djavax.net.ssl.${text}`);
  assertSaid(t, (await run('java', [...told, here('Leaf.java'), ...triples(hosted)], PATIENCE)).stdout);
});

const noBrowser =
  unlessInstalled('chromium', '--version') || unlessInstalled('sh', '-c', 'command -v certutil');

t.test('Chromium accepts them', { skip: noBrowser }, async (t) => {
  const { folder, ca, hosted } = await stage(t);
  const database = join(folder, '.pki', 'nssdb');
  mkdirSync(database, { recursive: true });
  await run('certutil', ['-d', `sql:${database}`, '-N', '--empty-password']);
  await run('certutil', ['-d', `sql:${database}`, '-A', '-t', 'C,,', '-n', 'writ', '-i', ca]);
  const places = hosted.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`);
  const [first = ''] = places;
  const quiet = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${join(folder, 'profile')}`];
  const rules = [...NAMES, WRONG].filter((host) => !isIP(host)).map((host) => `MAP ${host} 127.0.0.1`);
  const asking = ['--no-proxy-server', `--host-resolver-rules=${rules.join(',')}`];
  const page = ['--virtual-time-budget=10000', '--dump-dom', `https://${first}/#${places.join(',')}`];
  const env = { ...process.env, HOME: folder };
  const { stdout } = await run('chromium', [...quiet, ...asking, ...page], { ...PATIENCE, env });
  for (const [i, host] of [...NAMES, WRONG].entries())
    t.match(stdout, `[${places[i]} ${host === WRONG ? 'refused' : 'ok'}]`, host);
});
