import t from 'tap';
import { readOpening } from '../../src/proxy/http-opening.ts';

t.test('HTTP begins with a method and a space', async (t) => {
  const rows: readonly (readonly [string, string])[] = [
    ['GET / HTTP/1.1', 'http'],
    ['X-Y_Z!1 ', 'http'],
    [`${'A'.repeat(24)} `, 'http'],
    ['', 'strange'],
    ['G', 'partial'],
    ['A'.repeat(24), 'partial'],
    ['A'.repeat(25), 'strange'],
    [' GET / HTTP/1.1', 'strange'],
    ['\r\nGET / HTTP/1.1', 'strange'],
    ['GET\t/ HTTP/1.1', 'strange'],
    ['GET\n', 'strange'],
    ['SSH-2.0-OpenSSH_9.9\r\n', 'strange'],
    ['GÉT /', 'strange'],
    ['\0', 'strange'],
  ];
  for (const [text, is] of rows)
    t.equal(readOpening(Buffer.from(text, 'latin1')).is, is, JSON.stringify(text));
});
