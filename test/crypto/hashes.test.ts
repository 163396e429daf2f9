import * as fc from 'fast-check';
import t from 'tap';
import { toBase64 } from '../../src/crypto/base64.ts';
import { toHex } from '../../src/crypto/bytes.ts';
import { noble } from '../../src/crypto/noble.ts';
import { node, sha256Hex, sha3Hex } from '../../src/crypto/node.ts';

t.test('both suites give the known answers', (t) => {
  for (const suite of [node, noble]) {
    t.equal(
      toHex(suite.sha3_512('abc')),
      'b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0',
    );
    t.equal(
      toHex(suite.blake2b('abc')),
      'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
    );
    t.equal(toBase64(suite.sha256('{"hello": "world"}\n')), 'RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=');
  }
  t.end();
});

t.test('both suites give the same for any bytes and any text', (t) => {
  const given = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
  );
  for (const name of ['sha256', 'sha3_512', 'blake2b'] as const)
    fc.assert(fc.property(given, (data) => toHex(node[name](data)) === toHex(noble[name](data))));
  fc.assert(fc.property(given, (data) => sha256Hex(data) === toHex(noble.sha256(data))));
  fc.assert(fc.property(given, (data) => sha3Hex(data) === toHex(noble.sha3_512(data))));
  t.end();
});
