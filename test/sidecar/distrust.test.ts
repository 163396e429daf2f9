/** Who does not take our authority: the operator hears of each host, and no agent can fill a disk with names. */
import t from 'tap';
import { makeLog } from '../../src/config/log.ts';
import { Distrust } from '../../src/sidecar/distrust.ts';

const untrusted = { cause: 'untrusted', detail: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' } as const;

function hearing(): { distrust: Distrust; levels: () => readonly string[] } {
  const written: string[] = [];
  const distrust = new Distrust(makeLog('debug', { write: (line) => written.push(line) }));
  const levels = (): readonly string[] =>
    written.map((line) => (JSON.parse(line) as { level: string }).level); // our own log's lines
  return { distrust, levels };
}

t.test('it is said once for each host, and counted', async (t) => {
  const { distrust, levels } = hearing();
  for (const host of ['a.test', 'a.test', 'b.test']) distrust.handshake({ host, ...untrusted });
  t.strictSame(levels(), ['warn', 'debug', 'warn']);
  t.match(distrust.report(), [
    { host: 'b.test', cause: 'untrusted', count: 1 },
    { host: 'a.test', cause: 'untrusted', count: 2 },
  ]);
});

t.test('each kind of client is told its own, and what names itself is not taken for Node', async (t) => {
  const { distrust, levels } = hearing();
  const closed = { cause: 'unused', detail: 'closed before a request' } as const;
  for (const client of ['curl/8.5.0', 'Wget/1.21.3', 'curl/8.5.0'])
    distrust.handshake({ host: 'a.test', client, ...closed });
  for (const client of [undefined, 'sqlmap']) distrust.handshake({ host: 'a.test', client, ...closed });
  t.strictSame(levels(), ['info', 'info', 'debug', 'info', 'info']);
  t.match(distrust.report(), [
    { client: 'an agent', count: 1 },
    { client: 'Node', tell: /NODE_EXTRA_CA_CERTS/, count: 1 },
    { client: 'curl', tell: /CURL_CA_BUNDLE/, count: 2 },
    { client: 'wget', tell: /ca-certificate/, count: 1 },
  ]);
});

t.test('names without end are said at debug level only', async (t) => {
  const { distrust, levels } = hearing();
  for (let i = 0; i < 200; i++) distrust.handshake({ host: `host${i}.test`, ...untrusted });
  t.equal(levels().filter((level) => level === 'warn').length, 64);
  t.equal(distrust.report().length, 64);
  t.equal(distrust.report()[0]?.host, 'host199.test');
});
