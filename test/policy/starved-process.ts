/** A program that runs out of file descriptors, without which no thread can start, and gets them back. */
import { closeSync, openSync } from 'node:fs';
import { PolicyPool } from '../../src/policy/pool.ts';
import { handmade } from './bundle-files.ts';
import { bodies } from './wasm-module.ts';

const pool = new PolicyPool({ deadline: 500 });
const bundle = await handmade({ evaluate: bodies.endlessOn('!') });
const say = (word: string): void => void process.stdout.write(`${word}\n`);
say('ready');

const held = holdAll();
const refused = await pool.activate(bundle);
say(refused.ok ? 'activated' : refused.fault);
for (const descriptor of held) closeSync(descriptor);

const activated = await pool.activate(bundle);
say(activated.ok ? 'activated' : activated.fault);
await warm();
const heldAgain = holdAll();
for (const input of ['!', '!', '!', 'a']) {
  const evaluation = await pool.decide(input);
  say(evaluation?.answer.ok === false ? evaluation.answer.code : 'allow');
}
for (const descriptor of heldAgain) closeSync(descriptor);
const evaluation = await pool.decide('a');
say(evaluation?.answer.ok ? 'allow' : 'deny');
await pool.close();

function holdAll(): readonly number[] {
  const descriptors: number[] = [];
  try {
    for (;;) descriptors.push(openSync('/dev/null', 'r'));
  } catch {
    return descriptors;
  }
}

/** Lets the stand-in come up: from then on there are two threads. */
async function warm(): Promise<void> {
  await pool.decide('a');
  while (process.getActiveResourcesInfo().includes('Timeout')) await new Promise((r) => setImmediate(r));
}
