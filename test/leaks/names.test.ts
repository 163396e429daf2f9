/** Names to mint certificates for, without end: the cache stays bounded, and honest handshakes go on (names.ts). */
import t from 'tap';
import {
  CertificateAuthority,
  makeCertificateAuthority,
} from '../../src/proxy/tunnel/certificate-authority.ts';
import { freshNames, startNames } from './names.ts';

const GROWTH_MIB = 64;

t.test('an authority keeps 256 leaves, those that were asked for last', (t) => {
  const now = Date.now();
  let wall = now;
  const authority = new CertificateAuthority(makeCertificateAuthority(now), () => wall);
  const contexts = freshNames(300, 'new').map((name) => authority.contextFor(name));
  t.equal(authority.size, 256);
  t.equal(authority.contextFor('host-299.new.test'), contexts.at(-1), 'the last one is at hand');
  t.not(authority.contextFor('host-0.new.test'), contexts[0], 'the first one is made anew');
  wall += 24 * 3_600_000;
  t.not(authority.contextFor('host-299.new.test'), contexts.at(-1), 'and so is one that has lived');
  t.equal(authority.size, 256);
  t.end();
});

t.test('an agent that shakes hands under ever new names takes no memory and keeps nobody out', async (t) => {
  const { shake } = await startNames(t);
  await shake(freshNames(50, 'warm'));
  const { honest, mebibytes } = await shake(freshNames(200, 'new'));
  t.ok(honest.length > 4 && honest.every((status) => status === 200), 'an honest agent is served meanwhile');
  t.ok(mebibytes < GROWTH_MIB, `${mebibytes.toFixed(1)} MiB more`);
});
