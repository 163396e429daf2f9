import t from 'tap';
import { readCall } from '../../src/call/read.ts';
import { forward, makeHead } from './heads.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const OURS = '9a1b2c3d4e5f6071';
const FRESH = `00-0191b3c45d6e7f809a1b2c3d4e5f6071-${OURS}-00`;

function forwarded(...sent: readonly string[]): {
  readonly trace: string | undefined;
  readonly state: boolean;
} {
  const head = makeHead((parts) => {
    for (const value of sent) parts.headers.push(['traceparent', value]);
    parts.headers.push(['tracestate', 'a=b']);
  });
  const call = readCall(head, forward);
  if (!call.ok) return { trace: undefined, state: false };
  const { headers, trace } = call.value;
  t.same(
    headers.filter(([name]) => name === 'traceparent'),
    [['traceparent', trace]],
  );
  return { trace, state: headers.some(([name]) => name === 'tracestate') };
}

t.test('a valid traceparent keeps its trace id and sampled flag, under a parent id of ours', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    [`00-${TRACE}-00f067aa0ba902b7-01`, `00-${TRACE}-${OURS}-01`],
    [`00-${TRACE}-00f067aa0ba902b7-00`, `00-${TRACE}-${OURS}-00`],
    [`00-${TRACE}-00f067aa0ba902b7-ff`, `00-${TRACE}-${OURS}-01`],
    [`01-${TRACE}-00f067aa0ba902b7-01-more`, `00-${TRACE}-${OURS}-01`],
  ];
  for (const [sent, trace] of cases) t.same(forwarded(sent), { trace, state: true }, sent);
});

t.test('anything else starts a fresh trace, and tracestate is dropped', async (t) => {
  const cases: readonly (readonly string[])[] = [
    [],
    [''],
    [`00-${TRACE}-00f067aa0ba902b7-01`, `00-${TRACE}-00f067aa0ba902b7-01`],
    [`00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`],
    [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    [`00-${TRACE}-${'0'.repeat(16)}-01`],
    [`ff-${TRACE}-00f067aa0ba902b7-01`],
    [`00-${TRACE}-00f067aa0ba902b7-01-more`],
    [`00-${TRACE}-00f067aa0ba902b7-1`],
    [`00-${TRACE}-00f067aa0ba902b7-01 `],
    [`00-${TRACE}-00f067aa0ba902b7`],
  ];
  for (const sent of cases) t.same(forwarded(...sent), { trace: FRESH, state: false }, sent.join(' and '));
});
