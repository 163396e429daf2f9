/** Chromium: asked for proxy credentials (407), pages over HTTP/2 with all they load, and what a refusal looks like. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Page, Response } from 'playwright-core';
import t from 'tap';
import type { Test } from 'tap';
import { missing } from '../e2e/program.ts';
import { runTool, unlessInstalled } from '../third-party/tool.ts';
import { assertOutcome, assertRefused, startStage } from './stage.ts';
import type { Stage } from './stage.ts';

const BROWSER = '/usr/bin/chromium';
const skip = unlessInstalled(BROWSER, '--version') || missing('certutil');

const PAGE = `<!doctype html><title>A page</title><link rel="stylesheet" href="/style.css">
<p id="said">nothing</p><script src="/script.js"></script>`;
const FILES: Readonly<Record<string, readonly [type: string, body: string]>> = {
  '/page': ['text/html', PAGE],
  '/style.css': ['text/css', 'p { color: rgb(1, 2, 3) }'],
  '/script.js': ['text/javascript', "document.querySelector('#said').textContent = 'the script ran';"],
};

/** A home whose NSS database, which is where Chromium on Linux looks, trusts the sidecar. */
function trustingHome(t: Test, ca: string): string {
  const home = mkdtempSync(join(tmpdir(), 'writ-chromium-'));
  t.teardown(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
  const nss = `sql:${home}/.pki/nssdb`;
  runTool('mkdir', ['-p', `${home}/.pki/nssdb`]);
  for (const args of [
    ['-N', '--empty-password'],
    ['-A', '-n', 'writ', '-t', 'C,,', '-i', ca],
  ]) {
    const made = runTool('certutil', ['-d', nss, ...args]);
    if (!made.ok) throw new Error(made.out);
  }
  return home;
}

async function browse(t: Test, stage: Stage): Promise<Page> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: trustingHome(t, stage.ca) };
  const proxy = { server: stage.forward, username: 'grant', password: stage.grant(), bypass: '<-loopback>' };
  const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'], env, proxy });
  t.teardown(() => browser.close());
  return browser.newPage();
}

t.test('a page over HTTP/2 with all that it loads, and refusals that can be read', { skip }, async (t) => {
  const stage = await startStage(t, {
    settings: { proxy: { challenge: true } },
    answer: ({ path }, response) => {
      const [type, body] = FILES[path] ?? ['text/plain', 'none'];
      response.writeHead(200, { 'content-type': type }).end(body);
    },
  });
  const { site, home } = stage;
  const page = await browse(t, stage);
  const replies: Record<string, Response> = {};
  page.on('response', (reply) => (replies[new URL(reply.url()).pathname] = reply));

  const opened = await page.goto(`${site.url}/page`);
  t.equal(opened?.status(), 200);
  t.equal(await page.textContent('#said'), 'the script ran');
  t.equal(await page.evaluate(colour), 'rgb(1, 2, 3)', 'the style is there');
  for (const path of Object.keys(FILES)) {
    const decision = await replies[path]?.headerValue('writ-decision');
    await assertOutcome(t, home, decision);
  }
  t.ok(
    site.seen.every(({ version }) => version === '2.0'),
    'all over HTTP/2',
  );
  const asked = home
    .entries()
    .some(({ is, text }) => is['code'] === 'grant_missing' && text.includes(`:${site.port}`));
  t.ok(asked, 'it sends credentials only when asked');

  const denied = await page.goto(`${site.url}/secret/page`);
  if (!denied) throw new Error('no response');
  const [status, headers, body] = [denied.status(), await denied.allHeaders(), await denied.text()];
  assertRefused(t, home, { status, headers, body, code: 'scope_path' });
  t.equal(await page.textContent('body'), body, 'the page shows the denial as text');

  const refused = page.goto('https://elsewhere.test/');
  await t.rejects(refused, /ERR_TUNNEL_CONNECTION_FAILED/, 'of a refused CONNECT it shows nothing');
  t.strictSame(
    site.seen
      .map(({ path }) => path)
      .filter((path) => path !== '/favicon.ico')
      .toSorted(),
    Object.keys(FILES).toSorted(),
  );
});

/** Runs in the page. */
const colour = "getComputedStyle(document.querySelector('#said')).color";
