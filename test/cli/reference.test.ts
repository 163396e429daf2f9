import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import t from 'tap';
import { buildProgram, commands } from '../../src/cli/program.ts';
import { projectFiles } from '../architecture/project-files.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const sources = projectFiles(new URL('../..', import.meta.url).pathname, 'src');

/** The command that these words name, and what is left of them. */
async function find(
  words: readonly string[],
): Promise<{ command: Command | undefined; rest: readonly string[] }> {
  let command: Command | undefined = await buildProgram(words);
  let rest = [...words];
  for (let found = command; found; rest = rest.slice(1)) {
    command = found;
    const next = command.commands.find((child) => child.name() === rest[0]);
    if (!next) break;
    found = next;
  }
  return { command, rest };
}

/** Every command that does something, as words. */
async function leaves(): Promise<readonly string[]> {
  const found: string[] = [];
  const walk = (command: Command, words: readonly string[]): void => {
    if (command.commands.length === 0) found.push(words.join(' '));
    for (const child of command.commands) walk(child, [...words, child.name()]);
  };
  for (const name of Object.keys(commands)) {
    const command = (await buildProgram([name])).commands.find((child) => child.name() === name);
    if (command) walk(command, [name]);
  }
  return found;
}

t.test('docs/cli.md shows every command', async (t) => {
  const page = read('docs/cli.md');
  for (const words of await leaves()) t.ok(page.includes(`writ ${words}`), `writ ${words}`);
});

t.test('every command and flag that the documentation shows is there', async (t) => {
  const docs = projectFiles(new URL('../..', import.meta.url).pathname, 'docs').map(({ path }) => path);
  const pages = ['README.md', 'SECURITY.md', 'CHANGELOG.md', ...docs];
  let seen = 0;
  for (const page of pages) {
    for (const [line, , words = ''] of read(page).matchAll(/(^|[`(|] ?|npx |\$ )writ ([^`\n|)]+)/gm)) {
      const { command, rest } = await find(words.trim().split(/ +/));
      if (!command?.parent) continue; // prose: "writ is …"
      t.equal(
        command.commands.length > 0 && /^[a-z]+$/.test(rest[0] ?? ''),
        false,
        `${page}: ${line.trim()}`,
      );
      for (const flag of rest.filter((word) => /^--?[a-z]/.test(word))) {
        seen += 1;
        const known = command.options.some(({ long, short }) => long === flag || short === flag);
        t.ok(known, `${page}: ${line.trim()}: ${flag}`);
      }
    }
  }
  t.ok(seen > 30, 'flags were seen');
});

t.test('no curl of the documentation brings the admin listener’s answers, or its token, to a proxy', (t) => {
  const pages = projectFiles(new URL('../..', import.meta.url).pathname, 'docs');
  const asked = pages.flatMap(({ text }) => text.match(/^.*curl .*:15020.*$/gm) ?? []);
  t.ok(asked.length > 2);
  for (const line of asked) t.match(line, "--noproxy '*' ", line); // '' takes the proxy of http_proxy for 127.0.0.1, too
  t.end();
});

t.test('docs/operations.md explains every line of the process’s log, and no other', (t) => {
  const table = read('docs/operations.md').split('## The process')[1] ?? '';
  const explained = new Set([...table.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) => cell.match(/[^`]{3,}(?=`)/g) ?? [])); // prettier-ignore
  explained.delete('msg');
  const written = new Set(
    sources.flatMap(({ text }) =>
      [...text.matchAll(/\blog\s*\.(?:debug|info|warn|error)\(\s*'([^']+)'/g)].map(
        ([, message = '']) => message,
      ),
    ),
  );
  t.ok(written.size > 10);
  for (const message of written) t.ok(explained.has(message), `explained: ${message}`);
  for (const message of explained) t.ok(message === ', ' || written.has(message), `written: ${message}`);
  t.end();
});

t.test('docs/operations.md names every metric of ours, and no other', (t) => {
  const named = new Set(read('docs/operations.md').match(/\bwrit_[a-z_]+/g));
  const made = new Set(read('src/console/metrics.ts').match(/(?<=')writ_[a-z_]+/g));
  t.strictSame([...named].sort(), [...made].sort());
  t.end();
});
