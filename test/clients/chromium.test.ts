/** Chromium: pages over HTTP/2 with all they load, and what a refusal looks like; a proxy asks it for credentials (407). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { BrowserContextOptions, Page, Response } from 'playwright-core';
import t from 'tap';
import type { Test } from 'tap';
import type { DenialCode } from '../../src/denial/table.ts';
import type { Teardown } from '../e2e/home.ts';
import { missing } from '../e2e/program.ts';
import { runTool, unlessInstalled } from '../third-party/tool.ts';
import { assertOutcome, assertRefused, startStage } from './stage.ts';
import type { Heard, Stage } from './stage.ts';
import { assertWay } from './ways.ts';
import type { Way } from './ways.ts';

const BROWSER = '/usr/bin/chromium';
const skip = unlessInstalled(BROWSER, '--version') || missing('certutil');

const PAGE = `<!doctype html><title>A page</title><link rel="stylesheet" href="style.css">
<p id="said">nothing</p><script src="script.js"></script>`;
const FILES: Readonly<Record<string, readonly [type: string, body: string]>> = {
  '/page': ['text/html', PAGE],
  '/style.css': ['text/css', 'p { color: rgb(1, 2, 3) }'],
  '/script.js': ['text/javascript', "document.querySelector('#said').textContent = 'the script ran';"],
};

/** A home whose NSS database, which is where Chromium on Linux looks, trusts the sidecar. */
function trustingHome(t: Teardown, ca: string): string {
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

/** How its user is told: by proxy credentials, or by a header on every request. */
function told(way: Way, stage: Stage): BrowserContextOptions {
  if (way !== stage.ways.forward) return { extraHTTPHeaders: way.headers() };
  const proxy = { server: stage.forward, username: 'grant', password: stage.grant(), bypass: '<-loopback>' };
  return { proxy };
}

const stage = await startStage(t, {
  settings: { proxy: { challenge: true } },
  answer: ({ path }, response) => {
    const [type, body] = FILES[path] ?? ['text/plain', 'none'];
    response.writeHead(200, { 'content-type': type }).end(body);
  },
});
const { site, home } = stage;
const env = { PATH: process.env['PATH'] ?? '', HOME: skip ? '' : trustingHome(t, stage.ca) };
const launch = { executablePath: BROWSER, args: ['--no-sandbox'], env };
const browser = skip ? undefined : await chromium.launch(launch);
t.teardown(() => browser?.close());

async function browse(t: Teardown, options: BrowserContextOptions): Promise<Page> {
  const context = await browser?.newContext(options);
  t.teardown(() => context?.close());
  if (!context) throw new Error('no browser');
  return context.newPage();
}

/** The denial that a page is. */
async function assertShown(
  t: Test,
  page: Page,
  { url, code }: { readonly url: string; readonly code: DenialCode },
): Promise<Heard> {
  const response = await page.goto(url);
  if (!response) throw new Error('no response');
  const [status, headers] = [response.status(), await response.allHeaders()];
  const heard = { status, headers, body: await response.text() };
  assertRefused(t, home, { ...heard, code });
  return heard;
}

for (const way of Object.values(stage.ways))
  t.test(
    `a page with all that it loads, and refusals, ${way.name}`,
    { skip: skip || way.skip },
    async (t) => {
      const [from, entries] = [site.seen.length, home.entries().length];
      const page = await browse(t, told(way, stage));
      const replies: Record<string, Response> = {};
      page.on('response', (reply) => (replies[reply.url()] = reply));

      const opened = await page.goto(`${way.url}/page`);
      t.equal(opened?.status(), 200);
      t.equal(await page.textContent('#said'), 'the script ran');
      t.equal(await page.evaluate(colour), 'rgb(1, 2, 3)', 'the style is there');
      for (const path of Object.keys(FILES)) {
        const decision = await replies[`${way.url}${path}`]?.headerValue('writ-decision');
        await assertOutcome(t, home, decision);
      }
      const missed = home.entries(entries).filter(({ is }) => is['code'] === 'grant_missing');
      const asked = missed.some(({ text }) => text.includes(`:${site.port}`));
      if (way === stage.ways.forward) t.ok(asked, 'it sends credentials only when asked');

      const { body } = await assertShown(t, page, { url: `${way.url}/secret/page`, code: 'scope_path' });
      t.equal(await page.textContent('body'), body, 'the page shows the denial as text');
      if (way !== stage.ways.forward) {
        const without = await browse(t, {});
        await assertShown(t, without, { url: `${way.url}/page`, code: 'grant_missing' }); // with a 407 it shows an error
      }

      for (const url of way.elsewhere)
        await t.rejects(
          page.goto(url),
          /ERR_TUNNEL_CONNECTION_FAILED/,
          'of a refused CONNECT it shows nothing',
        );
      assertWay(t, home, way, entries);
      const seen = site.seen.slice(from).filter(({ path }) => path !== '/favicon.ico');
      t.strictSame(seen.map(({ path }) => path).toSorted(), Object.keys(FILES).toSorted());
      const version = way.secure ? '2.0' : '1.1';
      t.ok(
        seen.every((request) => request.version === version),
        `all over HTTP/${version}`,
      );
    },
  );

/** Runs in the page. */
const colour = "getComputedStyle(document.querySelector('#said')).color";
