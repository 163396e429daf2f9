/** Node's own fetch, told by its environment alone. Arguments: the site, and a URL whose tunnel is refused. */
import { inspect } from 'node:util';

const [site = '', ...elsewhere] = process.argv.slice(2);
const { GRANT } = process.env; // where no tunnel brings it
const headers = GRANT === undefined ? {} : { 'writ-grant': GRANT };

const say = (did: string, what: object): void => console.log(JSON.stringify({ did, ...what }));

const whole = async (did: string, answered: Promise<Response>): Promise<void> => {
  const response = await answered;
  const { status, headers } = response;
  say(did, { status, headers: Object.fromEntries(headers), body: await response.text() });
};

const body = Array.from({ length: 20_000 }, (_, i) => i).join(' ');
const text = { ...headers, 'content-type': 'text/x' };
await whole('echo', fetch(`${site}/echo`, { method: 'POST', body, headers: text }));
const pieces = await fetch(`${site}/pieces`, { headers });
for await (const piece of pieces.body ?? [])
  say('pieces', { piece: Buffer.from(piece as Uint8Array).toString() });
await whole('denied', fetch(`${site}/secret/a`, { headers }));
for (const url of elsewhere) {
  const refused = await fetch(url).catch((cause: unknown) => inspect(cause));
  say('refused', { fault: typeof refused === 'string' ? refused : 'answered' });
}
