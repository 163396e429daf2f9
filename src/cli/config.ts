/** `writ config`: check and print settings. */
import type { Command } from 'commander';
import { settingsJsonSchema, settingsPage } from '../config/document.ts';
import { faultText } from '../config/fault.ts';
import { settingsDigest } from '../config/load.ts';
import { settingsTable } from '../config/schema.ts';
import type { Settings } from '../config/schema.ts';
import { EXIT } from './exit.ts';
import { out } from './screen.ts';
import { addSettingsFlags, loadFor, requireSettings } from './settings-flags.ts';

/** Adds `writ config check|print|schema`. */
export function registerConfig(program: Command): void {
  const config = program.command('config').description('Settings: docs/settings.md lists them.');
  addSettingsFlags(config.command('check').description('Report every fault of the settings, with its place.'))
    .option('--json', 'as JSON')
    .action((_, command: Command) => check(command));
  addSettingsFlags(
    config.command('print').description('Show the settings that hold, and where each came from.'),
  )
    .option('--json', 'as JSON')
    .action((_, command: Command) => print(command));
  config
    .command('schema')
    .description('Print the JSON Schema of a settings file, for editors.')
    .option('--markdown', 'docs/settings.md instead')
    .action(({ markdown }: { readonly markdown?: boolean }) => {
      if (markdown) process.stdout.write(settingsPage());
      else out.json(settingsJsonSchema());
    });
}

function check(command: Command): void {
  const loaded = loadFor(command);
  process.exitCode = loaded.ok ? EXIT.yes : EXIT.usage;
  if (command.opts()['json']) return out.json(loaded.ok ? { ok: true } : loaded);
  if (loaded.ok)
    return out.line(`${out.paint('good', 'ok')}  ${out.paint('dim', loaded.file ?? 'no settings file')}`);
  for (const fault of loaded.faults) out.line(out.paint('bad', faultText(fault)));
}

function print(command: Command): void {
  const { settings, sources, file } = requireSettings(command);
  const digest = settingsDigest(settings);
  if (command.opts()['json'])
    return out.json({ settings, sources: Object.fromEntries(sources), file: file ?? null, digest });
  out.table(
    ['setting', 'value', 'from'],
    settingsTable.map(({ name }) => {
      const source = sources.get(name) ?? 'default';
      return [
        { text: name, style: 'name' },
        name.startsWith('listen.') ? listener(valueAt(settings, name)) : shown(valueAt(settings, name)),
        { text: source, style: 'dim' },
      ];
    }),
  );
  out.line(`\n${out.paint('dim', `digest ${digest}`)}`);
}

function valueAt(settings: Settings, name: string): unknown {
  return name.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], settings); // as: every row is there
}

const listener = (value: unknown): string => (value === null ? 'off' : shown(value));

/** As it would stand in a file. */
function shown(value: unknown): string {
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.map(shown).join(', ') || 'empty';
  if (typeof value !== 'object') return String(value);
  if ('bits' in value && 'address' in value && 'port' in value)
    return `${bracketed(`${value.address}/${value.bits}`)}:${value.port}`;
  if ('host' in value && 'port' in value) return `${bracketed(String(value.host))}:${value.port}`;
  return JSON.stringify(value);
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);
