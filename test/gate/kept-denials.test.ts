/** The last denials: what is given back is what was kept, to whom it may be given, and the oldest go first. */
import fc from 'fast-check';
import t from 'tap';
import type { Denial } from '../../src/gate/denial.ts';
import { KeptDenials } from '../../src/gate/kept-denials.ts';
import type { Grant } from '../../src/grant/grant.ts';
import { foundAll } from './found.ts';

const denial = (id: string, body: string): Denial => ({
  ...{ id, body, code: 'policy_denied', status: 403, close: false },
});
const { grant } = foundAll();
const another = { ...grant, digest: 'another' } as Grant; // a fixture always has one

t.test('the operator and the holder of its grant are given a denial, nobody else', (t) => {
  const kept = new KeptDenials();
  kept.keep(denial('a', '{"é":1}'), grant);
  kept.keep(denial('b', '{}'), undefined);
  t.equal(kept.find('a', 'operator'), '{"é":1}');
  t.equal(kept.find('a', { ...another, digest: grant?.digest ?? '' }), '{"é":1}');
  t.equal(kept.find('a', another), undefined);
  t.equal(kept.find('b', 'operator'), '{}');
  t.equal(kept.find('b', another), undefined, 'no grant was refused');
  t.equal(kept.find('c', 'operator'), undefined);
  t.end();
});

t.test('whatever their lengths, what is kept is whole, and the newest of them', (t) => {
  const bodies = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 60 });
  const room = 100;
  fc.assert(
    fc.property(bodies, (texts) => {
      const kept = new KeptDenials(room);
      texts.forEach((text, i) => kept.keep(denial(String(i), text), undefined));
      const fit = texts.flatMap((text, i) =>
        Buffer.byteLength(text) <= room ? [[String(i), text] as const] : [],
      );
      const there = fit.map(([id, text]) => {
        const found = kept.find(id, 'operator');
        return found === undefined ? false : found === text || id;
      });
      const oldest = there.indexOf(true);
      const newest = oldest < 0 ? [] : there.slice(oldest);
      const bytes = fit
        .slice(oldest < 0 ? fit.length : oldest)
        .reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0);
      return newest.every((is) => is === true) && bytes <= room && (fit.length === 0 || newest.length > 0);
    }),
  );
  t.end();
});

t.test('one that is larger than all the room is not kept, and harms no other', (t) => {
  const kept = new KeptDenials(8);
  kept.keep(denial('a', 'short'), undefined);
  kept.keep(denial('b', 'much too long'), undefined);
  t.equal(kept.find('a', 'operator'), 'short');
  t.equal(kept.find('b', 'operator'), undefined);
  t.end();
});
