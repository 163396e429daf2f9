import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import t from 'tap';
import { settingsTable } from '../../src/config/schema.ts';
import { projectFiles } from '../architecture/project-files.ts';

const root = join(import.meta.dirname, '../..');
const pages = [
  ...['README.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));
const texts = new Map(pages.map((page) => [page, readFileSync(join(root, page), 'utf8')]));

/** What a page's headings, and its `<a id>`, can be linked by: as GitHub makes it of the words. */
function anchorsOf(page: string): ReadonlySet<string> {
  const text = (texts.get(page) ?? '').replace(/^```.*?^```/gms, '');
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, words = '']) =>
    words
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\-_ ]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)]);
}

t.test('every link of the documentation leads to a file and to a heading that are there', (t) => {
  let anchors = 0;
  for (const [page, text] of texts) {
    for (const [link, target = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(page, '..', path));
      t.ok(existsSync(join(root, file)), `${page}: ${link}`);
      if (anchor === undefined || !texts.has(file)) continue;
      anchors += 1;
      t.ok(anchorsOf(file).has(anchor), `${page}: ${link}`);
    }
  }
  t.ok(anchors > 5, 'anchors were seen');
  t.end();
});

t.test('every page is reached from the README', (t) => {
  for (const page of pages.filter((name) => name.startsWith('docs/')))
    t.ok(texts.get('README.md')?.includes(`](${page})`), page);
  t.end();
});

/** Made by those who follow the page. */
const made = new Set(['deploy/compose/authorities.json', 'deploy/compose/grant.jws']);

t.test('every file of ours that a page or a message of the program names is there', (t) => {
  const sources = projectFiles(root, 'src').map(({ path, text }) => [path, text] as const);
  let seen = 0;
  for (const [where, text] of [...texts, ...sources]) {
    for (const [path] of text.matchAll(/(?<![\w/.<…-])(?:docs|test|rego|deploy|src)\/[\w./-]*\w/g)) {
      if (made.has(path)) continue;
      seen += 1;
      t.ok(existsSync(join(root, path)), `${where}: ${path}`);
    }
  }
  t.ok(seen > 50, 'files were seen');
  t.end();
});

t.test('every setting that a page names is there', (t) => {
  const names = new Set(settingsTable.map(({ name }) => name));
  const sections = new Set([...names].flatMap((name) => (name.includes('.') ? name.split('.')[0] : [])));
  let seen = 0;
  for (const [page, text] of texts) {
    for (const [, name = '', section] of text.matchAll(/`(([a-z]+)\.[a-z_]+)(?=[`: ])/g)) {
      if (!sections.has(section) || /\.(jws|token|wasm)$/.test(name)) continue;
      if (page === 'docs/policy.md' && section === 'grant') continue; // members of what a policy is asked
      seen += 1;
      t.ok(names.has(name), `${page}: ${name}`);
    }
  }
  t.ok(seen > 100, 'settings were seen');
  t.end();
});
