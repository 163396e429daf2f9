/** Asking the running sidecar of a home over its admin listener. */
import { statSync } from 'node:fs';
import { readText } from '../config/read-text.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { JsonObject } from '../crypto/json.ts';
import { listenerUids } from '../proxy/agent/socket-owner.ts';
import { homeLayout } from '../sidecar/home.ts';
import { CommandFailure, unable } from './exit.ts';
import { readRunning } from './running.ts';
import type { Running } from './running.ts';

/** What the sidecar answered. */
export interface AdminAnswer {
  readonly status: number;
  /** Empty where the answer was no JSON object. */
  readonly body: JsonObject;
}

/** What is asked of it. */
export interface AdminQuestion {
  readonly path: string;
  /** Sent as JSON by POST; without one it is a GET. */
  readonly body?: object;
  /** For the whole answer; 10 s by default. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 10_000;

/** What a `run.json` leads to that a sidecar left behind: its port, or its whole address, is nobody's any more. */
const NOBODY: readonly unknown[] = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'];

/**
 * Asks with the home's admin token. Undefined where no sidecar runs (no address, or nobody listens there); a command
 * failure where somebody else listens there, who must not have the token, where one listens and does not answer, or where
 * the answer is not whole.
 */
export async function askSidecar(home: string, question: AdminQuestion): Promise<AdminAnswer | undefined> {
  const running = readRunning(home);
  const token = readText(homeLayout(home).adminToken);
  if (!running || token === undefined) return undefined;
  refuseImpostor(home, running);
  const signal = AbortSignal.timeout(question.patienceMs ?? PATIENCE_MS);
  try {
    const answer = await send(new URL(question.path, running.admin), { token, body: question.body, signal });
    const parsed = parseStrictJson(await textOf(answer, running));
    return { status: answer.status, body: isJsonObject(parsed) ? parsed : {} };
  } catch (cause) {
    if (cause instanceof CommandFailure) throw cause;
    if (NOBODY.includes(codeOf(cause))) return undefined;
    throw silent(home, running);
  }
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

interface Sent {
  readonly token: string;
  readonly body: object | undefined;
  readonly signal: AbortSignal;
}

function send(url: URL, { token, body, signal }: Sent): Promise<Response> {
  const headers = { Authorization: `Bearer ${token.trim()}`, 'Content-Type': 'application/json' };
  const what = body ? { method: 'POST', body: JSON.stringify(body) } : { method: 'GET' };
  return fetch(url, { ...what, headers, signal, redirect: 'error' });
}

async function textOf(answer: Response, { admin }: Running): Promise<string> {
  return answer.text().catch((cause: unknown) => {
    if (isTimeout(cause)) throw cause;
    throw unable(`the sidecar at ${admin} broke off its answer`, 'Its log says why it ended.');
  });
}

/** It is there, and may have heard the question: to go on as if none ran would be to say what is not so. */
function silent(home: string, { admin, pid }: Running): CommandFailure {
  return unable(
    `the sidecar at ${admin} does not answer`,
    `Look into the log of process ${pid}, and start it again where it hangs. Where that is no sidecar, remove ` +
      `${homeLayout(home).run}.`,
  );
}

function isTimeout(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'TimeoutError';
}

/** Of the connection: `fetch` wraps it. */
function codeOf(fault: unknown): unknown {
  const cause = fault instanceof Error ? fault.cause : undefined;
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
}
