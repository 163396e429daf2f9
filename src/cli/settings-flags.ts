/** The settings' flags on a command, and the settings that a command line, the environment and a file give together. */
import type { Command } from 'commander';
import { faultText } from '../config/fault.ts';
import type { GivenFlag } from '../config/layer.ts';
import { loadSettings } from '../config/load.ts';
import type { Loaded } from '../config/load.ts';
import { settingsTable } from '../config/schema.ts';
import { usageFailure } from './exit.ts';

/** Settings that were read without a fault. */
export type LoadedSettings = Extract<Loaded, { readonly ok: true }>;

/** Adds `--config`, `--set` and every setting's own flag. The descriptions are the table's. */
export function addSettingsFlags(command: Command): Command {
  command.option(
    '-c, --config <file>',
    'settings file (default: writ.yaml in the working folder, where there is one)',
  );
  for (const { flag, kind, description, absent } of settingsTable) {
    if (!flag) continue;
    const shown = kind === 'list' ? '' : ` (default: ${String(absent)})`;
    const words = `--${flag} <${kind === 'list' ? 'address' : flagValue(flag)}>`;
    if (kind === 'list') command.option(words, summaryOf(description), collect);
    else command.option(words, summaryOf(description) + shown);
  }
  return command.option('--set <name=value>', 'any other setting, such as policy.deadline_ms=500', collect);
}

/** Only `--home`, `--config` and `--set`, for commands that need to find a home and nothing else. */
export function addHomeFlags(command: Command): Command {
  return command
    .option('--home <folder>', 'the home (default: .writ, or what WRIT_HOME or the settings file say)')
    .option(
      '-c, --config <file>',
      'settings file (default: writ.yaml in the working folder, where there is one)',
    );
}

/** The settings of a command that has these flags. */
export function loadFor(command: Command): Loaded {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const { config } = options;
  return loadSettings({
    flags: [...ownFlags(options), ...setFlags(options['set'])],
    configFile: typeof config === 'string' ? config : undefined,
    env: process.env,
    cwd: process.cwd(),
  });
}

/** The same, for commands that cannot go on without: throws a usage failure (exit 2) that lists every fault. */
export function requireSettings(command: Command): LoadedSettings {
  const loaded = loadFor(command);
  if (loaded.ok) return loaded;
  const lines = loaded.faults.map((fault) => `  ${faultText(fault)}`);
  throw usageFailure(
    `the settings have ${lines.length === 1 ? 'a fault' : `${lines.length} faults`}:\n${lines.join('\n')}`,
    'docs/settings.md lists every setting; `writ config check` checks them.',
  );
}

function ownFlags(options: Readonly<Record<string, unknown>>): readonly GivenFlag[] {
  return settingsTable.flatMap(({ name, flag }) => {
    const given = flag && options[flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    if (flag === undefined || given === undefined) return [];
    const texts = Array.isArray(given) ? given.map(String) : [String(given)];
    return texts.map((text) => ({ name, text, flag: `--${flag}` }));
  });
}

function setFlags(given: unknown): readonly GivenFlag[] {
  const texts = Array.isArray(given) ? given.map(String) : [];
  return texts.map((text) => {
    const equals = text.indexOf('=');
    if (equals < 1) throw usageFailure(`--set takes name=value, not ${text}`);
    const name = text.slice(0, equals);
    return { name, text: text.slice(equals + 1), flag: `--set ${name}` };
  });
}

function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** The first sentence, without Markdown. */
function summaryOf(description: string): string {
  return (/^.*?[.:](?= |$)/.exec(description)?.[0] ?? description).replaceAll('`', '').replace(/[.:]$/, '');
}

function flagValue(flag: string): string {
  const words: Readonly<Record<string, string>> = { home: 'folder', name: 'name', 'log-level': 'level' };
  return words[flag] ?? 'address:port';
}
