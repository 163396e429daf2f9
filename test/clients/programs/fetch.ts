/** Node's own fetch, told of the proxy by its environment alone. Argument: the site. */
import { inspect } from 'node:util';

const [site = ''] = process.argv.slice(2);

const say = (did: string, what: object): void => console.log(JSON.stringify({ did, ...what }));

const whole = async (did: string, answered: Promise<Response>): Promise<void> => {
  const response = await answered;
  const { status, headers } = response;
  say(did, { status, headers: Object.fromEntries(headers), body: await response.text() });
};

const body = Array.from({ length: 20_000 }, (_, i) => i).join(' ');
await whole('echo', fetch(`${site}/echo`, { method: 'POST', body, headers: { 'content-type': 'text/x' } }));
const pieces = await fetch(`${site}/pieces`);
for await (const piece of pieces.body ?? [])
  say('pieces', { piece: Buffer.from(piece as Uint8Array).toString() });
await whole('denied', fetch(`${site}/secret/a`));
const refused = await fetch('https://elsewhere.test/').catch((cause: unknown) => inspect(cause));
say('refused', { fault: typeof refused === 'string' ? refused : 'answered' });
