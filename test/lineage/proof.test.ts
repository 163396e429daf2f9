import * as fc from 'fast-check';
import t from 'tap';
import { formatProof, parseProof } from '../../src/lineage/proof.ts';

const hash = 'gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=';
const proof = `c2sp.org/tlog-proof@v1\nindex 73894\n${hash}\n${hash}\n\nexample.com/log\n1\n${hash}\n\n— a b\n`;

t.test('a tlog-proof is read and written byte for byte', (t) => {
  const parsed = parseProof(proof);
  t.equal(parsed?.index, 73_894);
  t.equal(parsed?.hashes.length, 2);
  t.equal(parsed?.checkpoint, `example.com/log\n1\n${hash}\n\n— a b\n`);
  t.equal(parsed && formatProof(parsed), proof);
  t.ok(
    parseProof(`c2sp.org/tlog-proof@v1\nindex 0\n\n${parsed?.checkpoint}`),
    'a tree of one leaf needs no hash',
  );
  t.end();
});

t.test('a stray line, or another spelling, is no proof', (t) => {
  const rows: [string, string][] = [
    ['another version', proof.replace('@v1', '@v2')],
    ['an extra line', proof.replace('index', 'extra AAAA\nindex')],
    ['no index', proof.replace('index 73894\n', '')],
    ['a leading zero', proof.replace('73894', '073894')],
    ['a negative index', proof.replace('73894', '-1')],
    ['an unsafe index', proof.replace('73894', '9007199254740993')],
    ['a carriage return', proof.replace('73894\n', '73894\r\n')],
    ['a short hash', proof.replace(hash, 'AAAA')],
    ['a hash without padding', proof.replace(hash, hash.slice(0, -1))],
    ['a hash with stray bits', proof.replace(hash, hash.replace('lQ=', 'lR='))],
    ['64 hashes', proof.replace(`${hash}\n`, `${hash}\n`.repeat(64))],
    ['a blank line in front', `\n${proof}`],
    ['no checkpoint', proof.slice(0, proof.indexOf('\n\n'))],
    ['nothing', ''],
  ];
  for (const [name, text] of rows) t.equal(parseProof(text), undefined, name);
  t.end();
});

t.test('nothing makes the parser throw, and what it takes it writes again', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (junk) => void parseProof(junk)));
  fc.assert(
    fc.property(fc.nat(proof.length), fc.string({ maxLength: 3 }), (at, put) => {
      const text = proof.slice(0, at) + put + proof.slice(at + 1);
      const parsed = parseProof(text);
      return parsed === undefined || formatProof(parsed) === text;
    }),
  );
  t.end();
});
