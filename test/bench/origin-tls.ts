/** The upstream of the rows with TLS: HTTP/1.1 and HTTP/2, one fixed answer. Its certificate is that of the tests. */
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { join } from 'node:path';

const vectors = join(import.meta.dirname, '../vectors/tls');
const BODY = JSON.stringify({ ok: true, pad: 'x'.repeat(200) });
const HEAD = { 'content-type': 'application/json', 'content-length': BODY.length };

const server = createSecureServer(
  {
    key: readFileSync(join(vectors, 'leaf.key.pem')),
    cert: readFileSync(join(vectors, 'localhost.pem')),
    allowHTTP1: true,
  },
  (_request, response) => void response.writeHead(200, HEAD).end(BODY),
);
server.on('sessionError', () => undefined);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${JSON.stringify({ port: address?.port })}\n`);
});
