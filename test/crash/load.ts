/** Agents that call through a sidecar as fast as they can, and remember all that they were told. */
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Teardown, TestHome } from '../e2e/home.ts';

/** An origin that counts. */
export interface CountingOrigin {
  readonly port: number;
  readonly url: string;
  /** The path of every request that ever arrived. */
  readonly paths: readonly string[];
}

/** A head that was shown: tree size, and root in base64. */
export interface Head {
  readonly size: number;
  readonly root: string;
}

/** What a caller was told. */
export interface Answer {
  readonly path: string;
  readonly status: number;
  /** Of the decision. */
  readonly id: string;
  /** Where the answer says that it stands in the log; NaN where it says nothing. */
  readonly entry: number;
  /** Of a refusal: its code, and the statement in its receipt, empty where nobody signed one. */
  readonly code?: string;
  readonly statement?: string;
  /** Of the checkpoint in the proof, of a refusal that is on record. */
  readonly head?: Head;
}

/** Whom to call, and with what. */
export interface LoadPlan {
  readonly home: TestHome;
  readonly origin: CountingOrigin;
  /** The sidecar's forward port. */
  readonly port: number;
  /** How many call at once, each on a connection of its own. */
  readonly callers: number;
  /** Makes its paths differ from those of any other load. */
  readonly name: string;
}

/** An origin that answers at once and keeps nothing but paths. */
export async function countingOrigin(t: Teardown): Promise<CountingOrigin> {
  const paths: string[] = [];
  const server = createServer((incoming, response) => {
    paths.push(incoming.url ?? '');
    incoming.resume().on('end', () => response.end('answered by the origin'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port, url: `http://127.0.0.1:${port}`, paths };
}

/** Callers that go on until they are stopped, or the sidecar is gone. */
export class Load {
  readonly answers: Answer[] = [];
  /** Path → token of every call under a single-use grant. */
  readonly once = new Map<string, string>();
  readonly #plan: LoadPlan;
  readonly #agent: Agent;
  readonly #session: string;
  readonly #over: Promise<unknown>;
  #next = 0;
  #stopped = false;
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.#agent = new Agent({ keepAlive: true, maxSockets: plan.callers });
    this.#session = plan.home.grant({ entry: { paths: ['/call/*'] } });
    this.#over = Promise.all(Array.from({ length: plan.callers }, () => this.#caller()));
    void this.#over.then(() => this.#waiting?.resolve());
  }

  /** Resolves once so many calls were answered; also where nobody calls any more. */
  answered(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { count, resolve };
      if (this.answers.length >= count) resolve();
    });
  }

  /** No further calls; resolves when none runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
    this.#agent.destroy();
  }

  /** Ends at the first call that has no answer: then the sidecar is gone. */
  async #caller(): Promise<void> {
    while (!this.#stopped) {
      const answer = await this.#call(this.#next++);
      if (!answer) return;
      this.answers.push(answer);
      if (this.answers.length >= (this.#waiting?.count ?? Infinity)) this.#waiting?.resolve();
    }
  }

  /** In turn: within the session grant, outside of it, under a grant of its own for one use. */
  #call(number: number): Promise<Answer | undefined> {
    const { home, name, origin, port } = this.#plan;
    const path = `/${['call', 'refused', 'once'][number % 3] ?? ''}/${name}-${number}`;
    const token = number % 3 === 2 ? home.grant({ entry: { max_calls: 1 } }) : this.#session;
    if (number % 3 === 2) this.once.set(path, token);
    return call({ port, url: origin.url + path, token, agent: this.#agent });
  }
}

/** One call through the forward port; undefined where it was not answered whole. */
export function call({
  port,
  url,
  token,
  agent = false,
}: {
  readonly port: number;
  readonly url: string;
  readonly token: string;
  readonly agent?: Agent | false;
}): Promise<Answer | undefined> {
  const headers = { host: new URL(url).host, 'writ-grant': token };
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, path: url, headers, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve(readAnswer(new URL(url).pathname, response, body)));
      response.on('error', () => resolve(undefined));
    });
    outgoing.on('error', () => resolve(undefined)).end();
  });
}

function readAnswer(
  path: string,
  {
    statusCode = 0,
    headers,
  }: { readonly statusCode?: number | undefined; readonly headers: NodeJS.Dict<string | string[]> },
  body: string,
): Answer {
  const [, id = '', entry] = /id="([^"]+)"(?:.*entry=(\d+))?/.exec(String(headers['writ-decision'])) ?? [];
  const told = { path, status: statusCode, id };
  if (statusCode !== 403) return { ...told, entry: Number(entry) };
  const { code, receipt, proof } = JSON.parse(body) as {
    code: string;
    receipt: { payload: string } | null;
    proof: string | null;
  }; // a denial
  const statement = Buffer.from(receipt?.payload ?? '', 'base64').toString();
  const [, index] = /\nindex (\d+)\n/.exec(proof ?? '') ?? [];
  const head = headIn(proof ?? '');
  if (index === undefined || !head) return { ...told, entry: NaN, code, statement };
  return { ...told, entry: Number(index), code, statement, head };
}

/** The head of the checkpoint that stands at the end of a text: of a proof, or of nothing else. */
export function headIn(text: string): Head | undefined {
  const [, size, root = ''] = /(?:^|\n\n).*\n(\d+)\n(.*)\n\n— /.exec(text) ?? [];
  return size === undefined ? undefined : { size: Number(size), root };
}
