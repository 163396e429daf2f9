/** What stands for the place of a call whose agent was redirected: TLS, the original destination, and `Host`. */
import t from 'tap';
import { readCall } from '../../src/call/read.ts';
import type { CallContext } from '../../src/call/read.ts';
import type { Redirect } from '../../src/call/redirect.ts';
import { forward, makeHead } from './heads.ts';

const clear: Redirect = { scheme: 'http', host: undefined, port: undefined, original: 'unknown' };
const secure: Redirect = { ...clear, scheme: 'https', host: 'a.test' };

const rows: readonly (readonly [name: string, redirect: Redirect, host: string | undefined, found: string])[] = [
  ['in the clear Host says all', clear, 'a.test', 'http://a.test'],
  ['and its port', clear, 'a.test:8080', 'http://a.test:8080'],
  ['the port that was meant', { ...clear, port: 8080 }, 'a.test:8080', 'http://a.test:8080'],
  ['another than was meant', { ...clear, port: 8080 }, 'a.test:8081', 'authority_mismatch'],
  ['none where another was meant', { ...clear, port: 8080 }, 'a.test', 'authority_mismatch'],
  ['none where the usual one was meant', { ...clear, port: 80 }, 'a.test', 'http://a.test'],
  ['nothing at all', clear, undefined, 'host_missing'],
  ['TLS names the host', secure, 'a.test', 'https://a.test'],
  ['Host names its port', secure, 'a.test:8443', 'https://a.test:8443'],
  ['which was meant', { ...secure, port: 8443 }, 'a.test:8443', 'https://a.test:8443'],
  ['another port than was meant', { ...secure, port: 8443 }, 'a.test', 'authority_mismatch'],
  ['another host than TLS', secure, 'b.test', 'authority_mismatch'],
  ['a host below it', secure, 'b.a.test', 'authority_mismatch'],
  ['the address that was meant', { ...secure, port: 443, original: '192.0.2.1:443' }, '192.0.2.1', 'authority_mismatch'],
]; // prettier-ignore

t.test('host and port come from what is known of the connection, and Host may not contradict', async (t) => {
  for (const [name, redirect, host, found] of rows) {
    const context: CallContext = { ...forward, carrier: 'transparent', redirect };
    const head = makeHead((parts) => ((parts.target = '/a'), (parts.host = host)));
    const call = readCall(head, context);
    t.equal(call.ok ? call.value.origin : call.code, found, name);
  }
});

t.test('HTTP/1.0 needs no Host where TLS named it', async (t) => {
  const head = makeHead((parts) => ((parts.target = '/a'), (parts.host = undefined), (parts.version = '1.0')));
  const read = (redirect: Redirect) => readCall(head, { ...forward, carrier: 'transparent', redirect });
  t.match(read(secure), { ok: true, value: { origin: 'https://a.test' } });
  t.match(read(clear), { ok: false, code: 'host_missing' });
}); // prettier-ignore
