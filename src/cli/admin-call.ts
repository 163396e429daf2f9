/** Asking the running sidecar of a home over its admin listener. */
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { JsonObject } from '../crypto/json.ts';
import { homeLayout } from '../sidecar/home.ts';
import { readIfThere } from './home-keys.ts';
import { readRunning } from './running.ts';

/** What the sidecar answered. */
export interface AdminAnswer {
  readonly status: number;
  /** Empty where the answer was no JSON object. */
  readonly body: JsonObject;
}

const PATIENCE_MS = 10_000;

/** POSTs JSON with the home's admin token. Undefined where no sidecar runs (no address, or nobody listens there). */
export async function askSidecar(home: string, path: string, body: object): Promise<AdminAnswer | undefined> {
  const running = readRunning(home);
  const token = readIfThere(homeLayout(home).adminToken);
  if (!running || token === undefined) return undefined;
  const answer = await post(new URL(path, running.admin), token.trim(), JSON.stringify(body));
  if (!answer) return undefined;
  const parsed = parseStrictJson(await answer.text());
  return { status: answer.status, body: isJsonObject(parsed) ? parsed : {} };
}

/** A stale `run.json` points to a port where nobody listens: that is no sidecar. */
async function post(url: URL, token: string, body: string): Promise<Response | undefined> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  return fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' }).catch(() => undefined);
}
