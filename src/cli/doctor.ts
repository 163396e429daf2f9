/** `writ doctor`: finds out what is wrong, and says what to do. */
import type { Command } from 'commander';
import { SETTINGS } from './doctor/finding.ts';
import type { Finding } from './doctor/finding.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { askPublic, readRunning } from './running.ts';
import { out } from './screen.ts';
import { addSettingsFlags } from './settings-flags.ts';
import type { Cell } from './table.ts';

/** Adds the command. */
export function registerDoctor(program: Command): void {
  addSettingsFlags(program.command('doctor'))
    .description(
      'Looks at Node, settings, home, keys, log, authorities, policy, ports, clock and proxy variables. Changes nothing.',
    )
    .option('--ready', 'only: exit 0 when the running sidecar says that it is ready, else 1 (for probes)')
    .option('--json', 'as JSON')
    .action((_, command: Command) => (command.opts()['ready'] ? ready(command) : examine(command)));
}

/** Settings are read only where the home is not plain: this runs as a container's probe. */
async function ready(command: Command): Promise<void> {
  const running = readRunning(await homeOf(command));
  const admin = running?.admin ?? (await adminOf(command));
  const reply = admin === undefined ? undefined : await askPublic(admin, '/readyz');
  const yes = reply?.status === 200;
  process.exitCode = yes ? EXIT.yes : EXIT.no;
  if (command.opts()['json']) out.json({ ready: yes, admin: admin ?? null, answer: parsed(reply?.text) });
  else if (reply)
    out.line(
      yes ? out.paint('good', 'ready') : `${out.paint('bad', 'not ready')}: ${out.paint('dim', reply.text)}`,
    );
  else
    out.line(
      `${out.paint('bad', 'not ready')}: no sidecar answers${admin ? ` at ${out.paint('name', admin)}` : ''}`,
    );
}

async function homeOf(command: Command): Promise<string> {
  const { home, config } = command.opts<{ home?: string; config?: string }>();
  const plain = home ?? (config === undefined ? process.env['WRIT_HOME'] : undefined);
  if (plain) return plain;
  const { requireSettings } = await import('./settings-flags.ts');
  return requireSettings(command).settings.home;
}

async function adminOf(command: Command): Promise<string | undefined> {
  const { requireSettings } = await import('./settings-flags.ts');
  const { admin } = requireSettings(command).settings.listen;
  if (!admin || admin.port === 0) return undefined;
  return `http://${admin.host.includes(':') ? `[${admin.host}]` : admin.host}:${admin.port}`;
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? null : JSON.parse(text);
  } catch {
    return text;
  }
}

async function examine(command: Command): Promise<void> {
  const { findings: look } = await import('./doctor/examination.ts');
  const findings = await look(command);
  const ok = !findings.some(({ state }) => state === 'bad');
  process.exitCode = exitOf(findings);
  if (command.opts()['json']) return out.json({ ok, findings });
  out.table([], findings.map(rowOf));
  const steps = findings.filter(({ next }) => next !== undefined);
  if (steps.length > 0) out.line('\nWhat to do next:');
  for (const { name, next = '', state } of steps) {
    out.line(`  ${out.paint(state === 'bad' ? 'bad' : 'warn', name)}: ${out.paint('strong', next)}`);
  }
}

/** Faulty settings are what they are to every command. */
function exitOf(findings: readonly Finding[]): ExitCode {
  const wrong = findings.filter(({ state }) => state === 'bad');
  if (wrong.some(({ name }) => name === SETTINGS)) return EXIT.usage;
  return wrong.length > 0 ? EXIT.no : EXIT.yes;
}

function rowOf({ name, state, found }: Finding): readonly Cell[] {
  const marks = { good: 'ok', warn: 'note', bad: 'BAD' } as const;
  return [{ text: marks[state], style: state }, { text: name, style: 'name' }, found];
}
