/** Which settings a reload applies, and which it only names. */
import t from 'tap';
import { loadSettings } from '../../src/config/load.ts';
import { settingsTable } from '../../src/config/schema.ts';
import type { Settings } from '../../src/config/schema.ts';
import { readText } from '../../src/config/read-text.ts';
import { applyLive, needRestart } from '../../src/sidecar/reload.ts';

function settings(): Settings {
  const loaded = loadSettings({ flags: [], env: {}, cwd: '/nowhere' });
  if (!loaded.ok) throw new Error('faulty settings');
  return loaded.settings;
}

/** The settings with one value that no setting has by default. */
function changed(name: string): Settings {
  const copy = structuredClone(settings()) as unknown as Record<string, Record<string, unknown>>;
  const [section = '', member] = name.split('.');
  const other = `other ${name}`;
  if (member === undefined) copy[section] = other as unknown as Record<string, unknown>;
  else if (copy[section]) copy[section][member] = other;
  return copy as unknown as Settings; // what a schema would not let through is fine here
}

t.test('every setting is either applied or named', (t) => {
  t.strictSame(needRestart(settings(), settings()), []);
  for (const { name, live } of settingsTable) {
    const wanted = changed(name);
    const after = applyLive(settings(), wanted);
    const applied = JSON.stringify(after) === JSON.stringify(wanted);
    t.equal(applied, live === true, `${name} is ${live ? '' : 'not '}applied`);
    t.strictSame(
      needRestart(settings(), wanted),
      live ? [] : [name],
      `${name} is ${live ? 'not ' : ''}named`,
    );
    if (!live) t.strictSame(after, settings(), 'and changes nothing');
  }
  t.end();
});

t.test('a file that cannot be read is no text', (t) => {
  t.equal(readText('/nowhere/at/all'), undefined);
  t.equal(readText('/'), undefined);
  t.end();
});
