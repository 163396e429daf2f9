/** Whether what was heard and what was let out is what a case wants. */
import type { LetOut } from './audit.ts';
import { idOf, nameOf } from './heard.ts';
import type { Heard } from './heard.ts';
import type { Received } from './received.ts';
import type { Answer } from './row.ts';

/** What must come of a case. */
export interface Wanted {
  readonly answers: readonly Answer[];
  /** The request after it on the same connection is answered. */
  readonly last: boolean;
}

/** A case that was played. */
export interface Played {
  readonly name: string;
  /** The `sub` of its grants. */
  readonly agent: string;
  readonly wanted: Wanted;
  readonly heard: readonly Heard[];
  /** What came beside whole replies. */
  readonly rest: string;
  /** What came on a connection of its own, afterwards. */
  readonly canary: readonly Heard[];
}

/** Everything that is not as wanted, given the requests that were let out for the case's agent. */
export function faultsOf(played: Played, letOut: readonly LetOut[]): readonly string[] {
  const whole = letOut.flatMap(({ received }) => (received?.whole ? [received] : []));
  const permits = letOut.filter(({ ended }) => ended !== 'cut').length - 1;
  return [
    ...canaryFaults(played, whole.at(-1)),
    ...(permits <= mostPermits(played.wanted) ? [] : [`${permits} permits are on record`]),
    ...strayFaults(played, letOut),
    ...(isVague(played.wanted) ? vagueFaults : exactFaults)(played, whole.slice(0, -1)),
  ];
}

/** One for each permitted answer; one that came to nothing, where it is not said what becomes of a case. */
function mostPermits(wanted: Wanted): number {
  const permitted = wanted.answers.filter((answer) => typeof answer === 'object').length;
  return isVague(wanted) ? Math.max(1, mostSent(wanted)) : permitted + (wanted.last ? 1 : 0);
}

/** The names of a case's answers, for its title. */
export function titleOf({ answers }: Wanted): string {
  return answers.map(wordOf).join(', ') || 'closed';
}

function wordOf(answer: Answer): string {
  return typeof answer === 'object' ? (answer.then ?? 'permit') : String(answer);
}

function canaryFaults({ canary }: Played, last: Received | undefined): readonly string[] {
  const [reply] = canary;
  const right =
    canary.length === 1 && reply && nameOf(reply) === 'permit' && last?.target.endsWith('/canary');
  return right ? [] : [`the canary was answered ${canary.map(nameOf).join()}`];
}

/** Each answer belongs to its request: the origin repeats what it answers, the sidecar says what it thinks it was. */
function strayFaults({ heard, canary, rest, wanted }: Played, letOut: readonly LetOut[]): readonly string[] {
  const strays = [...heard, ...canary].filter((reply) => nameOf(reply) === 'permit' && !isOwn(reply, letOut));
  return [
    ...(rest === '' || /^(?:cut|torn)$/.test(titleOf(wanted))
      ? []
      : [`something came beside replies: ${JSON.stringify(rest)}`]),
    ...strays.map(({ body }) => `the answer of another request came: ${body}`),
    ...heard.filter(leadsAstray).map(({ headers }) => `a header came: ${JSON.stringify(headers)}`),
  ];
}

function isOwn(reply: Heard, letOut: readonly LetOut[]): boolean {
  const received = letOut.find(({ id }) => id === idOf(reply))?.received;
  if (!received) return false;
  if (received.method === 'HEAD') return reply.body === '';
  const trace = received.headers.find(([name]) => name === 'traceparent')?.[1] ?? 'none';
  return reply.body === '' ? isBodiless(reply) : reply.body.includes(`"trace":"${trace}"`);
}

/** An upstream's word that poses as ours, or leads round us. */
function leadsAstray(reply: Heard): boolean {
  return nameOf(reply) === 'permit' && ('alt-svc' in reply.headers || 'proxy-status' in reply.headers);
}

function isBodiless({ status, headers }: Heard): boolean {
  return status === 204 || status === 304 || headers['content-length'] === '0';
}

function isVague({ answers }: Wanted): boolean {
  return answers.some((answer) => /^(?:broken|garbled|torn)$/.test(wordOf(answer)));
}

/** So many requests reach the origin whole where it is not said what becomes of a case. */
function mostSent(wanted: Wanted): number {
  if (titleOf(wanted) === 'torn') return 2; // and the one behind it
  return wanted.answers.includes('garbled') ? 1 : 0;
}

function vagueFaults({ wanted, heard }: Played, sent: readonly Received[]): readonly string[] {
  const most = mostSent(wanted);
  return [
    ...(sent.length > most ? [`the origin got ${sent.length} requests`] : []),
    ...(heard.length > most ? [`answered ${heard.map(nameOf).join()}`] : []),
  ];
}

function exactFaults({ wanted, heard }: Played, sent: readonly Received[]): readonly string[] {
  const answers: readonly Answer[] = wanted.last ? [...wanted.answers, { permit: '' }] : wanted.answers;
  const words = answers.map(wordOf).filter((word) => word !== 'cut');
  const names = words.join();
  const bodies = answers.flatMap((answer) =>
    typeof answer === 'object' ? [[answer.permit, ...(answer.trailers ?? [])]] : [],
  );
  const given = sent.map(({ body, trailers }) => [body, ...trailers.flat()]);
  return [
    ...(heard.map(nameOf).join() === names ? [] : [`answered ${heard.map(nameOf).join() || 'nothing'}`]),
    ...(JSON.stringify(given) === JSON.stringify(bodies) ? [] : [`the origin got ${JSON.stringify(given)}`]),
  ];
}
