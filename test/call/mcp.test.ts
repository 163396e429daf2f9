import fc from 'fast-check';
import t from 'tap';
import { matchesTool, readMcp, withinTools } from '../../src/call/mcp.ts';
import type { Json } from '../../src/crypto/json.ts';

t.test('a pattern names tools', async (t) => {
  const rows: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
    ['search', 'search', true],
    ['search', 'Search', false],
    ['search', 'search2', false],
    ['read_*', 'read_file', true],
    ['read_*', 'read_', true],
    ['read_*', 'read', false],
    ['read_*', 'xread_file', false],
    ['*_file', 'read_file', true],
    ['*_file', 'file', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'axbxc', true],
    ['a*b*c', 'axc', false],
    ['*', 'anything', true],
    ['read.file', 'readxfile', false],
  ];
  for (const [pattern, name, matches] of rows)
    t.equal(matchesTool(pattern, name), matches, `${pattern} ${name}`);
});

t.test('a pattern matches as a regular expression would', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  const agrees = fc.property(text, text, (pattern, name) => {
    const expression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 's');
    return matchesTool(pattern, name) === expression.test(name);
  });
  t.doesNotThrow(() => fc.assert(agrees, { numRuns: 2000 }));
});

t.test('a grant for tools covers calls of them, and what a session needs', async (t) => {
  const within = (message: Json): boolean[] => {
    const messages = readMcp(message);
    return messages.ok ? messages.value.map((each) => withinTools(['search', 'read_*'], each)) : [];
  };
  const rpc = (method: string, params?: Json): Json => ({ jsonrpc: '2.0', id: 1, method, ...(params ? { params } : {}) });
  const covered = ['initialize', 'ping', 'tools/list', 'notifications/initialized', 'notifications/cancelled', 'notifications/progress'];
  for (const method of covered) t.strictSame(within(rpc(method, {})), [true], method);
  const others = ['tools/call2', 'Tools/Call', 'resources/read', 'prompts/get', 'completion/complete', 'logging/setLevel', ''];
  for (const method of others) t.strictSame(within(rpc(method, { name: 'search' })), [false], method);
  t.strictSame(within(rpc('tools/call', { name: 'search' })), [true]);
  t.strictSame(within(rpc('tools/call', { name: 'read_file', arguments: { a: 1 } })), [true]);
  t.strictSame(within(rpc('tools/call', { name: 'delete' })), [false]);
  t.strictSame(within({ method: 'tools/call', params: { name: 'delete' } }), [false], 'without jsonrpc');
  t.strictSame(within({ jsonrpc: '2.0', id: 1, result: {} }), [true], 'an answer');
  t.strictSame(within([rpc('ping'), rpc('tools/call', { name: 'delete' })]), [true, false], 'one by one');
  t.strictSame(within({ name: 'delete' }), [], 'what is no message');
}); // prettier-ignore
