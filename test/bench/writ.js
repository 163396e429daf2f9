/**
 * Writ as it is shipped (`dist/`), on a home of its own, with a limit on recorded denials that never bites. Plain
 * JavaScript: what strips types for Node takes 10 MiB, which nobody ships.
 */
import { existsSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [home = '', origin = '', ...sets] = process.argv.slice(2);
const dist = join(import.meta.dirname, '../../dist/main.js');
const program = await import(pathToFileURL(dist).href);
const UNLIMITED = ['denial.recorded_burst=1000000000', 'denial.recorded_per_second=1000000000'];
const common = ['--home', home, '--set', 'lineage.name=localhost/bench'];

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text) => /"port"/.test(text) && write(text); // what the commands say is not for the bench to read
await program.main(['init', ...common]);
await program.main(['keys', 'new', 'authority', '--home', home]);
const serving = program.main([
  'serve',
  ...common,
  ...'--forward 0 --reverse off --transparent off --admin 0 --log-level error'.split(' '),
  ...['--allow', `127.0.0.1:${origin}`],
  ...[...UNLIMITED, ...sets].flatMap((set) => ['--set', set]),
]);
const run = join(home, 'run.json');
const watcher = watch(home, announce);
announce();
await serving;

function announce() {
  if (!existsSync(run)) return;
  watcher.close();
  const { forward } = JSON.parse(readFileSync(run, 'utf8'));
  process.stdout.write(`${JSON.stringify({ port: Number(new URL(forward).port) })}\n`);
}
