/** A provider of language models that is not one, behind a sidecar under the example policy for models. */
import { readFileSync } from 'node:fs';
import type { Json } from '../../src/crypto/json.ts';
import { compiled } from '../e2e/policies.ts';
import type { Teardown } from '../e2e/home.ts';
import type { Answer } from './site.ts';
import { sdkFetch } from './sdk-fetch.ts';
import { startStage } from './stage.ts';
import type { Stage } from './stage.ts';
import type { Way } from './ways.ts';

const example = new URL('../../rego/examples/models/', import.meta.url);

/** Sidecar and provider; a model is asked at `/v1/…`. */
export interface Provider extends Stage {
  /** What the SDKs' clients take on a way; the grant is the same on all. */
  options(way: Way): Options;
  /** A denial that its holder fetches again by the id in `Writ-Decision`. */
  refetch(decision: string | null | undefined): Promise<string>;
}

/** How an SDK is told. */
export interface Options {
  readonly baseURL: string;
  readonly fetch?: typeof fetch;
  readonly defaultHeaders?: Readonly<Record<string, string>>;
}

/** Starts both; the policy takes the provider for one of its own. */
export async function startProvider(t: Teardown, answer: Answer): Promise<Provider> {
  const policy = readFileSync(new URL('policy.rego', example), 'utf8');
  const data = JSON.parse(readFileSync(new URL('data.json', example), 'utf8')) as Record<string, Json>;
  const files = {
    'policy.rego': policy,
    'data.json': JSON.stringify({ ...data, providers: { localhost: true } }),
  };
  const stage = await startStage(t, { answer, settings: { policy: { bundle: await compiled(files) } } });
  const grant = stage.grant({ entry: { paths: ['/v1/**'] } });
  return {
    ...stage,
    options: (way) => ({
      ...{ baseURL: way.url, defaultHeaders: way.headers(grant) },
      ...sdkFetch(t, stage, { way, grant }),
    }),
    refetch: async (decision) => {
      const id = /id="([^"]+)"/.exec(decision ?? '')?.[1];
      const url = `http://127.0.0.1:${stage.sidecar.port('admin')}/.well-known/writ/receipt/${id}`;
      return (await fetch(url, { headers: { 'Writ-Grant': grant } })).text();
    },
  };
}

/** Values as server-sent events, each a piece. */
export function events(values: readonly object[]): readonly string[] {
  return values.map(
    (value) => `${'type' in value ? `event: ${String(value.type)}\n` : ''}data: ${JSON.stringify(value)}\n\n`,
  );
}
