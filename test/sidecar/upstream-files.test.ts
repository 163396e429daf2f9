/** Files that upstreams are called with: what is taken, what is refused, and that no fault tells a secret. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/schema.ts';
import { readUpstreamFiles } from '../../src/sidecar/upstream-files.ts';

const vector = (name: string): string =>
  readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8');
const locked = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
} as { type: 'pkcs8'; format: 'pem' });

function settings(folder: string, upstream: object): Settings {
  const file = join(folder, 'writ.yaml');
  const loaded = loadSettings({ flags: [], configFile: file, env: {}, cwd: folder });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return { ...loaded.settings, upstream: { ...loaded.settings.upstream, ...upstream } };
}

const files = {
  'writ.yaml': '',
  'leaf.pem': vector('localhost'),
  'leaf.key.pem': vector('leaf.key'),
  'root.pem': vector('root'),
  'empty.pem': '',
  'half.pem': `${vector('root')}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
  'locked.pem': locked,
  'credentials': 'writ:s3cret:x\n',
  'two-lines': 'writ:s3cret\nmore',
  'nameless': ':s3cret',
}; // prettier-ignore

t.test('what is sound is taken', (t) => {
  const folder = t.testdir(files);
  const at = (name: string): string => join(folder, name);
  const client = { host: 'api.test', certificate_file: at('leaf.pem'), key_file: at('leaf.key.pem') };
  const upstream = {
    ...{ extra_roots: at('root.pem'), proxy_credentials_file: at('credentials') },
    client_certificates: [client, { ...client, host: '[::1]:8443' }],
  };
  const read = readUpstreamFiles(settings(folder, upstream));
  if (!read.ok) throw new Error(read.faults.join('\n'));
  const { identities, credentials } = read.files;
  t.equal(credentials, `Basic ${Buffer.from('writ:s3cret:x').toString('base64')}`);
  const other = identities({ host: 'other.test', port: 443 });
  for (const place of [{ host: 'api.test', port: 443 }, { host: '::1', port: 8443 }])
    t.not(identities(place).id, other.id, place.host);
  t.equal(identities({ host: 'api.test', port: 8443 }).id, other.id, 'another port is another upstream');
  t.end();
}); // prettier-ignore

t.test('each fault is named, and none tells a secret', (t) => {
  const folder = t.testdir(files);
  const at = (name: string): string => join(folder, name);
  const client = (certificate: string, key: string): object => ({
    client_certificates: [{ host: 'a.test', certificate_file: at(certificate), key_file: at(key) }],
  });
  const rows: [name: string, upstream: object, fault: RegExp][] = [
    ['roots that are not there', { extra_roots: at('none') }, /^upstream\.extra_roots: ENOENT/],
    ['no roots in the file', { extra_roots: at('empty.pem') }, /holds no certificate/],
    ['a broken root among them', { extra_roots: at('half.pem') }, /is not a certificate/],
    ['no certificate', client('none', 'leaf.key.pem'), /^upstream\.client_certificates\.0: ENOENT/],
    ['a key instead', client('leaf.key.pem', 'leaf.key.pem'), /is not a certificate/],
    ['a certificate as key', client('leaf.pem', 'leaf.pem'), /is not a private key/],
    ['a key under a passphrase', client('leaf.pem', 'locked.pem'), /without a passphrase/],
    ['another’s key', client('root.pem', 'leaf.key.pem'), /is not the key of/],
    ['credentials of two lines', { proxy_credentials_file: at('two-lines') }, /not user:password/],
    ['credentials without a name', { proxy_credentials_file: at('nameless') }, /not user:password/],
  ];
  for (const [name, upstream, fault] of rows) {
    const read = readUpstreamFiles(settings(folder, upstream));
    const faults = read.ok ? [] : read.faults;
    t.match(faults, [fault], name);
    t.equal(faults.length, 1, name);
    t.notMatch(faults.join(), /s3cret/, name);
  }
  t.end();
});
