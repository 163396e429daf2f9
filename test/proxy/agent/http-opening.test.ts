import t from 'tap';
import { prefaceIn, readOpening } from '../../../src/proxy/agent/http-opening.ts';

t.test('HTTP/1 begins with a method and a space', async (t) => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['GET / HTTP/1.1', 'http'],
    ['X-Y_Z!1 ', 'http'],
    [`${'A'.repeat(24)} `, 'http'],
    ['', undefined],
    ['G', undefined],
    ['A'.repeat(24), undefined],
    ['A'.repeat(25), 'strange'],
    [' GET / HTTP/1.1', 'strange'],
    ['\r\nGET / HTTP/1.1', 'strange'],
    ['PRI / HTTP/1.1', 'http'],
    ['PRI * HTTP/2.0\r\n\r\n', undefined],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2'],
    ['GET\t/ HTTP/1.1', 'strange'],
    ['GET\n', 'strange'],
    ['SSH-2.0-OpenSSH_9.9\r\n', 'strange'],
    ['GÉT /', 'strange'],
    ['\0', 'strange'],
  ];
  for (const [text, is] of rows)
    t.equal(readOpening(Buffer.from(text, 'latin1'))?.is, is, JSON.stringify(text));
});

t.test('HTTP/2 begins with all of its preface, and what follows does not matter', async (t) => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  for (let length = 0; length <= preface.length; length++) {
    const is = length < preface.length ? undefined : 'http2';
    t.equal(prefaceIn(preface.subarray(0, length))?.is, is, `${length} octets`);
    const other = Buffer.concat([preface.subarray(0, length), Buffer.from('X')]);
    t.equal(prefaceIn(other)?.is, is ?? 'other', `${length} octets, and another`);
  }
});
