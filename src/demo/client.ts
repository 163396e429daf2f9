/** A small HTTP client that goes through the forward port, as an agent with `http_proxy` set would. */
import { request } from 'node:http';

/** One call to make. */
export interface DemoCall {
  readonly method: string;
  readonly url: string;
  /** Token for `Writ-Grant`; absent sends none. */
  readonly grant?: string;
}

/** What came back. */
export interface DemoAnswer {
  readonly status: number;
  /** The `Writ-Decision` header. */
  readonly decision: string;
  readonly body: string;
}

/** Makes the call through the proxy at `http://host:port`. Rejects where no answer comes. */
export function callThrough(proxy: string, call: DemoCall): Promise<DemoAnswer> {
  const { hostname, port } = new URL(proxy);
  const headers = { host: new URL(call.url).host, ...(call.grant ? { 'writ-grant': call.grant } : {}) };
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method: call.method, path: call.url, headers, agent: false });
    sent.once('error', reject);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const decision = response.headers['writ-decision'];
        resolve({
          status: response.statusCode ?? 0,
          decision: typeof decision === 'string' ? decision : '',
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    sent.end();
  });
}
