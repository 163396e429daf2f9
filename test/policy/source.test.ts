import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readPolicyFolder } from '../../src/policy/source.ts';

t.test('a folder is read by relative paths, sorted, without what is hidden', async (t) => {
  const folder = t.testdir({
    'b.rego': 'b',
    'a.rego': 'a',
    lib: { 'c.rego': 'c', 'data.yaml': 'd' },
    'data.json': '{}',
    'README.md': 'not policy',
    '.git': { 'x.rego': 'hidden' },
    '.hidden.rego': 'hidden',
  });
  t.strictSame(Object.entries(await readPolicyFolder(folder)), [
    ['a.rego', 'a'],
    ['b.rego', 'b'],
    ['data.json', '{}'],
    ['lib/c.rego', 'c'],
    ['lib/data.yaml', 'd'],
  ]);
});

t.test('JSON and YAML that carry no data come too, so that the compiler refuses them', async (t) => {
  const folder = t.testdir({ 'hosts.json': '{}', 'more.yml': '' });
  t.strictSame(Object.keys(await readPolicyFolder(folder)), ['hosts.json', 'more.yml']);
});

t.test('files behind links are read, as in a mounted ConfigMap', async (t) => {
  const folder = t.testdir({ '..data': { 'main.rego': 'package policy' } });
  symlinkSync('..data/main.rego', join(folder, 'main.rego'));
  t.strictSame(await readPolicyFolder(folder), { 'main.rego': 'package policy' });
});

t.test('what cannot be read whole is not read at all', async (t) => {
  const folder = t.testdir({ latin: { 'main.rego': Buffer.from([0xff]) }, 'file.rego': '' });
  await t.rejects(readPolicyFolder(join(folder, 'nowhere')), { code: 'ENOENT' });
  await t.rejects(readPolicyFolder(join(folder, 'file.rego')), { code: 'ENOTDIR' });
  await t.rejects(readPolicyFolder(join(folder, 'latin')), /is not UTF-8/);
  symlinkSync('nowhere.rego', join(folder, 'latin', 'broken.rego'));
  await t.rejects(readPolicyFolder(join(folder, 'latin')));
});
