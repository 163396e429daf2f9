/** Asking the running sidecar of a home over its admin listener. */
import { statSync } from 'node:fs';
import { readText } from '../config/read-text.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { JsonObject } from '../crypto/json.ts';
import { listenerUids } from '../proxy/agent/socket-owner.ts';
import { homeLayout } from '../sidecar/home.ts';
import { unable } from './exit.ts';
import { readRunning } from './running.ts';
import type { Running } from './running.ts';

/** What the sidecar answered. */
export interface AdminAnswer {
  readonly status: number;
  /** Empty where the answer was no JSON object. */
  readonly body: JsonObject;
}

const PATIENCE_MS = 10_000;

/** GETs with the home's admin token; else as `askSidecar`. */
export function readSidecar(home: string, path: string): Promise<AdminAnswer | undefined> {
  return askSidecar(home, path, undefined);
}

/**
 * POSTs JSON with the home's admin token. Undefined where no sidecar runs (no address, or nobody listens there); a
 * command failure where somebody else listens there, who must not have the token, or where the answer is not whole.
 */
export async function askSidecar(
  home: string,
  path: string,
  body: object | undefined,
): Promise<AdminAnswer | undefined> {
  const running = readRunning(home);
  const token = readText(homeLayout(home).adminToken);
  if (!running || token === undefined) return undefined;
  refuseImpostor(home, running);
  const answer = await send(new URL(path, running.admin), token.trim(), body);
  if (!answer) return undefined;
  const text = await answer.text().catch(() => undefined);
  if (text === undefined)
    throw unable(`the sidecar at ${running.admin} broke off its answer`, 'Its log says why it ended.');
  const parsed = parseStrictJson(text);
  return { status: answer.status, body: isJsonObject(parsed) ? parsed : {} };
}

/** After a crash `run.json` stays behind, and an agent under another uid can listen where the sidecar did. */
function refuseImpostor(home: string, { admin }: Running): void {
  const owner = statSync(homeLayout(home).run).uid;
  const other = listenerUids(Number(new URL(admin).port)).find((uid) => uid !== owner);
  if (other === undefined) return;
  throw unable(
    `user ${other}, not the sidecar’s user ${owner}, listens at ${admin}`,
    'Find out who that is, then start the sidecar again. The admin token was not sent.',
  );
}

/** A stale `run.json` points to a port where nobody listens: that is no sidecar. */
async function send(url: URL, token: string, body: object | undefined): Promise<Response | undefined> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const what = body ? { method: 'POST', body: JSON.stringify(body) } : { method: 'GET' };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  return fetch(url, { ...what, headers, signal, redirect: 'error' }).catch(() => undefined);
}
