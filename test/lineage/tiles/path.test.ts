import t from 'tap';
import { parseTilePath, resourcePath, tilesOf, tileWidth } from '../../../src/lineage/tiles/path.ts';

t.test('every resource has one path, and every other path names nothing', (t) => {
  const good: [string, string, number, number, number][] = [
    ['tile/0/000', 'tile', 0, 0, 256],
    ['tile/0/000.p/1', 'tile', 0, 0, 1],
    ['tile/2/273.p/255', 'tile', 2, 273, 255],
    ['tile/0/x001/x234/067', 'tile', 0, 1234067, 256],
    ['tile/63/x001/000', 'tile', 63, 1000, 256],
    ['tile/entries/x001/x234/067.p/112', 'entries', 0, 1234067, 112],
  ];
  for (const [path, kind, level, index, width] of good) {
    const resource = parseTilePath(path);
    t.strictSame(resource, { kind, address: { level, index }, width }, path);
    if (resource) t.equal(resourcePath(resource), path);
  }
  const bad = ['', 'tile', 'tile/0', 'tile/0/', 'tile/0/0', 'tile/0/0000', 'tile/00/000', 'tile/01/000', 'tile/64/000', 'tile/-1/000',
    'tile/0/x000/000', 'tile/0/x000/x001/000', 'tile/0/001/000', 'tile/0/x001', 'tile/0/x01/000', 'tile/0/000.p', 'tile/0/000.p/',
    'tile/0/000.p/0', 'tile/0/000.p/01', 'tile/0/000.p/256', 'tile/0/000.p/999', 'tile/0/000.p/1/', 'tile/0/000/', '/tile/0/000',
    'tile/entry/000', 'tile/entries/0/000', 'tile/0/../000', 'tile/0/000\n', 'tile/0/x001/x002/x003/x004/x005/000']; // prettier-ignore
  for (const path of bad) t.equal(parseTilePath(path), undefined, JSON.stringify(path));
  t.end();
});

t.test('the tiles of a tree are those that the specification counts', (t) => {
  const count = (size: number): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { address, width } of tilesOf(size)) {
      const name = `${address.level}:${width}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };
  t.strictSame(count(0), {});
  t.strictSame(count(1), { '0:1': 1 });
  t.strictSame(count(256), { '0:256': 1, '1:1': 1 });
  t.strictSame(count(70_000), { '0:256': 273, '0:112': 1, '1:256': 1, '1:17': 1, '2:1': 1 });
  t.equal(tileWidth({ level: 0, index: 274 }, 70_000), 0, 'none after the last');
  t.end();
});
