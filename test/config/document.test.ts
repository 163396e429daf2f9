import { readFileSync } from 'node:fs';
import t from 'tap';
import { settingsJsonSchema, settingsPage } from '../../src/config/document.ts';
import { settingsTable } from '../../src/config/schema.ts';

t.test('docs/settings.md is what the table says', (t) => {
  const page = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8');
  t.equal(
    page,
    settingsPage(),
    '`node src/cli/bin.js config schema --markdown > docs/settings.md` writes it anew',
  );
  t.end();
});

t.test('every setting has a description, and a number has its unit or its plain count in the name', (t) => {
  for (const { name, kind, description } of settingsTable) {
    t.match(description, /[.:]$/, name);
    if (kind === 'whole')
      t.match(name, /(_ms|_seconds|_bytes|_burst|_per_second|max_[a-z_]+|\.quorum)$/, name);
  }
  t.end();
});

t.test('the JSON Schema knows every setting and nothing else', (t) => {
  const schema = JSON.stringify(settingsJsonSchema());
  for (const { name } of settingsTable) t.match(schema, `"${name.split('.').at(-1)}":`, name);
  t.match(schema, '"additionalProperties":false');
  t.end();
});
