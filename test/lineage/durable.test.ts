import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDirectory, makeMissing } from '../../src/lineage/durable.ts';
import { scratchFolder } from './scratch-folder.ts';

t.test('what is missing of a path is made, and only that', (t) => {
  const folder = scratchFolder(t);
  t.equal(makeMissing(join(folder, 'a/b/../c'), 0o700), join(folder, 'a'), 'the topmost that was made');
  t.equal(statSync(join(folder, 'a/c')).mode & 0o777, 0o700);
  t.equal(makeMissing(join(folder, 'a/c'), 0o755), undefined);
  t.equal(statSync(join(folder, 'a/c')).mode & 0o777, 0o700, 'what is there stays as it is');
  t.equal(makeMissing('/', 0o700), undefined);
  t.end();
});

t.test('where nothing can be made, that is said, and nobody waits', (t) => {
  const folder = scratchFolder(t);
  writeFileSync(join(folder, 'file'), '');
  symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
  const rows: readonly [path: string, code: string][] = [
    ['/proc/x', 'ENOENT'],
    ['/proc/x/y', 'ENOENT'],
    [join(folder, 'file'), 'EEXIST'],
    [join(folder, 'file/x'), 'EEXIST'],
    [join(folder, 'dangling'), 'EEXIST'],
    [join(folder, 'dangling/x'), 'EEXIST'],
  ];
  for (const make of [makeDirectory, (path: string) => makeMissing(path, 0o755)])
    for (const [path, code] of rows) t.throws(() => make(path), { code }, path);
  mkdirSync(join(folder, 'nowhere'));
  makeDirectory(join(folder, 'dangling/x'));
  t.ok(statSync(join(folder, 'nowhere/x')).isDirectory(), 'through a link that leads somewhere');
  t.end();
});
