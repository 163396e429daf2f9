/** Clients that do not trust us, told apart by their own words or by how they end a handshake. */
import t from 'tap';
import type { Handshake } from '../../src/gate/observer.ts';
import { clientKind } from '../../src/sidecar/client-kind.ts';

const UNKNOWN_CA = 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA';

t.test('a client is known by its CONNECT, else by its alert', (t) => {
  const rows: [says: string | undefined, detail: string, client: RegExp, tell: RegExp][] = [
    ['curl/7.88.1', UNKNOWN_CA, /^curl$/, /^CURL_CA_BUNDLE=/],
    ['git/2.39.5', UNKNOWN_CA, /^git$/, /^GIT_SSL_CAINFO=/],
    ['python-requests/2.32', UNKNOWN_CA, /^Python requests$/, /^REQUESTS_CA_BUNDLE=/],
    ['Python/3.11 aiohttp/3.9', UNKNOWN_CA, /^Python$/, /^SSL_CERT_FILE=/],
    ['npm/10.9 node/v24', UNKNOWN_CA, /^npm$/, /^npm_config_cafile=/],
    ['Go-http-client/1.1', UNKNOWN_CA, /^Go$/, /^SSL_CERT_FILE=/],
    ['Java-http-client/17.0.15', UNKNOWN_CA, /^Java$/, /keytool/],
    ['Mozilla/5.0 (X11) Chrome/140.0.0.0 Safari/537.36', UNKNOWN_CA, /^Chromium$/, /certutil/],
    [undefined, UNKNOWN_CA, /OpenSSL/, /SSL_CERT_FILE=/],
    [undefined, 'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', /^Go$/, /^SSL_CERT_FILE=/],
    [undefined, 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN', /^Java or Chromium$/, /keytool/],
    ['what/ever', 'something else', /^an agent$/, /./],
  ];
  for (const [client, detail, known, tell] of rows) {
    const found = clientKind({ host: 'a.test', cause: 'untrusted', detail, client });
    t.match(found.client, known, client ?? detail);
    t.match(found.tell, tell, client ?? detail);
  }
  const quiet: Handshake = { host: 'a.test', cause: 'unused', detail: 'closed before a request' };
  t.match(clientKind(quiet), { client: 'Node', tell: /^NODE_EXTRA_CA_CERTS=/ });
  t.match(clientKind({ ...quiet, client: 'curl/8' }), { client: 'curl' });
  t.end();
});

t.test('what a client calls itself is never repeated', (t) => {
  const client = 'curl/8 \u001b[31m<script>';
  const found = JSON.stringify(clientKind({ host: 'a.test', cause: 'untrusted', detail: '', client }));
  t.notMatch(found, /script/);
  t.end();
});
