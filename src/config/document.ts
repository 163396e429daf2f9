/** The table of settings as documents: a JSON Schema for editors, a page for people. */
import * as z from 'zod';
import { settingsSchema, settingsTable } from './schema.ts';
import type { TableRow } from './schema.ts';

/** JSON Schema (2020-12) of a settings file. */
export function settingsJsonSchema(): object {
  const schema = z.toJSONSchema(settingsSchema, { io: 'input', target: 'draft-2020-12' });
  for (const { name, description } of settingsTable) describe(schema, name.split('.'), description);
  return { title: 'Writ settings', ...schema };
}

/** docs/settings.md. */
export function settingsPage(): string {
  const sections = Map.groupBy(settingsTable, ({ name }) =>
    name.includes('.') ? (name.split('.')[0] ?? '') : '',
  );
  const tables = [...sections].map(([section, rows]) => `## ${section || 'Top level'}\n\n${tableOf(rows)}`);
  return `${INTRODUCTION}\n${tables.join('\n\n')}\n`;
}

const INTRODUCTION = `# Settings

<!-- Made from the table in src/config/schema.ts by \`writ config schema --markdown\`; a test compares. -->

Flags go before environment, environment before file, file before defaults.

- **File**: \`--config FILE\`, else \`writ.yaml\` in the working folder. YAML 1.2 maps, lists and scalars, without aliases; paths in it are relative to it.
- **Environment**: \`WRIT_SECTION__NAME\`, such as \`WRIT_LISTEN__FORWARD=127.0.0.1:3128\`, and \`WRIT_HOME\`. Lists are comma-separated. Other names that begin with \`WRIT_\` are ignored.
- **Flags**: those below, and \`--set name=value\` for every setting but \`routes\` and \`upstream.client_certificates\`, which are lists of maps.

Numbers are plain: the unit is in the name. An unknown name is a fault. All faults are reported at once with their place, and nothing starts (exit 2); at a reload the settings in force stay. \`writ config check\` checks, \`writ config print\` shows what holds and where it came from, \`writ config schema\` prints a JSON Schema for editors. \`<home>\` stands for the home. A reload (SIGHUP, or \`POST /api/reload\`) applies the settings marked so; a change of any other is named in the log and waits for the next start.

\`\`\`yaml
home: /var/lib/writ/home
listen:
  forward: 127.0.0.1:3128
  reverse: 127.0.0.1:8080
routes:
  - prefix: /github
    upstream: https://api.github.com
upstream:
  allow: [10.0.0.7:443]
\`\`\`
`;

function tableOf(rows: readonly TableRow[]): string {
  const lines = rows.map(({ name, absent, flag, live, description }) => {
    const cells = [
      `\`${name}\``,
      absentText(absent),
      flag ? `\`--${flag}\`` : '',
      live ? 'yes' : '',
      description,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| setting | default | flag | reload | |', '|---|---|---|---|---|', ...lines].join('\n');
}

function absentText(absent: unknown): string {
  if (absent === null) return 'none';
  return Array.isArray(absent) ? 'empty' : `\`${String(absent)}\``;
}

interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  description?: string;
}

function describe(schema: object, path: readonly string[], description: string): void {
  const [first = '', ...rest] = path;
  const child = (schema as SchemaNode).properties?.[first]; // as: what toJSONSchema makes of a strict object
  if (!child) return;
  if (rest.length > 0) describe(child, rest, description);
  else child.description = description;
}
