import t from 'tap';
import { buildProgram, commands } from '../../src/cli/program.ts';
import { version } from '../../src/cli/version.ts';

t.test('the help names every command, without loading one', async (t) => {
  const program = await buildProgram(['--help']);
  const help = program.helpInformation();
  for (const [name, { summary }] of Object.entries(commands)) {
    t.match(help, name);
    t.match(help.replace(/\s+/g, ' '), summary);
  }
  t.strictSame(
    program.commands.flatMap((command) => command.commands),
    [],
  );
});

t.test('each command’s file brings exactly the command of the table', async (t) => {
  for (const name of Object.keys(commands)) {
    const program = await buildProgram([name]);
    t.strictSame(
      program.commands.map((command) => command.name()),
      Object.keys(commands),
      name,
    );
    const loaded = program.commands.find((command) => command.name() === name);
    t.ok(loaded?.description(), `${name} says what it does`);
    t.not(loaded?.description(), commands[name]?.summary, `${name} is more than a line of help`);
  }
});

t.test('every subcommand and every option says what it does', async (t) => {
  for (const name of Object.keys(commands)) {
    const program = await buildProgram([name]);
    const queue = program.commands.filter((command) => command.name() === name);
    for (const command of queue) {
      queue.push(...command.commands);
      t.ok(command.description(), `writ … ${command.name()}`);
      for (const option of command.options) t.ok(option.description, `${command.name()} ${option.flags}`);
    }
  }
});

t.test('commands that print data have --json', async (t) => {
  const printing = ['init', 'grant issue', 'grant inspect', 'receipt show', 'receipt verify', 'lineage show', 'lineage verify', 'config check', 'config print', 'keys show', 'keys new authority', 'doctor', 'lineage prove', 'lineage consistency', 'lineage compare', 'lineage reindex', 'lineage replay', 'lineage archive', 'lineage prune', 'lineage export-tiles', 'policy test', 'policy eval', 'policy check']; // prettier-ignore
  for (const words of printing) {
    const [name = '', ...inner] = words.split(' ');
    const outer = (await buildProgram([name])).commands.find((command) => command.name() === name);
    const command = inner.reduce((at, word) => at?.commands.find((child) => child.name() === word), outer);
    t.ok(
      command?.options.some(({ long }) => long === '--json'),
      `writ ${words}`,
    );
  }
});

t.test('the version is that of package.json', (t) => {
  t.match(version(), /^\d+\.\d+\.\d+/);
  t.end();
});
