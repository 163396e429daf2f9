/** The threads of one bundle: one that evaluates, and a warm stand-in that takes over when it dies. */
import { sha256Hex } from '../crypto/node.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { DenialCode } from '../denial/table.ts';
import type { Decision, Evaluation } from './decision.ts';
import { PolicyThread } from './policy-thread.ts';
import type { ThreadEnd, ThreadListener, ThreadSetup } from './policy-thread.ts';
import type { ThreadAnswer } from './thread-messages.ts';

interface Job {
  readonly input: string;
  readonly resolve: (evaluation: Evaluation) => void;
  /** How many threads died with it on board. */
  deaths: number;
}

/** A job is given up after so many threads died with it, so that nobody waits for ever behind endless evaluations. */
const MAX_DEATHS = 8;
/** Threads that died without one answer between them; from here on one is started only for a call that waits. */
const MAX_FAILURES = 3;
/**
 * One message holds at most so many inputs, and so many characters of them: main acts on the first answers while the next
 * ones are evaluated, and a thread's heap is small.
 */
const BATCH_INPUTS = 16;
const BATCH_CHARACTERS = 4 * 1024 * 1024;
/** Answers repeat: their objects and digests are kept, up to so many. */
const KEPT_ANSWERS = 256;

/** Evaluates one bundle from its first call to its last. */
export class Crew implements ThreadListener<Job> {
  readonly #setup: ThreadSetup;
  readonly #kept = new Map<string, Evaluation>();
  readonly #opening = Promise.withResolvers<string | undefined>();
  #active: PolicyThread<Job> | undefined;
  #standIn: PolicyThread<Job> | undefined;
  #starting: PolicyThread<Job> | undefined;
  #waiting: Job[] = [];
  #owed = 0;
  #failures = 0;
  #flushing = false;
  #established = false;
  #retired = false;

  constructor(setup: ThreadSetup) {
    this.#setup = setup;
  }

  /** Starts the first thread. Resolves with why the bundle cannot be used, or undefined; call it once. */
  open(): Promise<string | undefined> {
    this.#start();
    return this.#opening.promise;
  }

  /** Evaluates one input document. All that are asked in one turn of the event loop go out together. */
  decide(input: string): Promise<Evaluation> {
    const bytes = input.length; // never more than its UTF-8 bytes, which the thread counts
    if (bytes > this.#setup.engine.inputBytes)
      return Promise.resolve(this.#refusal('policy_input_too_large', `${bytes} characters of policy input`));
    return new Promise((resolve) => {
      this.#owed++;
      this.#waiting.push({ input, resolve, deaths: 0 });
      if (this.#flushing) return;
      this.#flushing = true;
      setImmediate(() => {
        this.#flush();
      });
    });
  }

  /** Lets what was asked be answered, and ends the threads after that. */
  retire(): void {
    this.#retired = true;
    if (this.#owed === 0) void this.close();
  }

  /** Ends the threads now; what is still owed is refused. */
  async close(): Promise<void> {
    this.#retired = true;
    this.#opening.resolve('the policy engine was closed');
    const threads = [this.#active, this.#standIn, this.#starting].filter((thread) => thread !== undefined);
    this.#active = this.#standIn = this.#starting = undefined;
    const unfinished = await Promise.all(threads.map((thread) => thread.stop()));
    const owed = [...unfinished.flat(), ...this.#waiting.splice(0)];
    for (const job of owed) this.#refuse(job, 'policy_failed', 'the policy engine was closed');
  }

  opened(thread: PolicyThread<Job>): void {
    this.#opening.resolve(undefined);
    this.#established = true;
    this.#starting = undefined;
    this.#standIn = thread;
    this.#flush();
  }

  answered(_thread: PolicyThread<Job>, jobs: readonly Job[], answers: readonly ThreadAnswer[]): void {
    this.#failures = 0;
    jobs.forEach((job, index) => {
      this.#settle(job, this.#evaluation(answers[index]));
    });
  }

  ended(thread: PolicyThread<Job>, { fault, opened, late, blamed, unfinished }: ThreadEnd<Job>): void {
    if (this.#active === thread) this.#active = undefined;
    if (this.#standIn === thread) this.#standIn = undefined;
    if (this.#starting === thread) this.#starting = undefined;
    if (blamed) this.#refuse(blamed, late ? 'policy_timeout' : 'policy_failed', fault);
    this.#waiting.unshift(...unfinished.filter((job) => this.#survives(job)));
    this.#lose(fault, opened);
  }

  /** A thread is gone, or never came to be. */
  #lose(fault: string, opened: boolean): void {
    this.#failures++;
    this.#opening.resolve(fault);
    const hopeless = !opened && this.#failures >= MAX_FAILURES && !this.#active && !this.#standIn;
    if (hopeless) for (const job of this.#waiting.splice(0)) this.#refuse(job, 'policy_failed', fault);
    this.#flush();
  }

  #survives(job: Job): boolean {
    job.deaths++;
    if (job.deaths < MAX_DEATHS) return true;
    this.#refuse(job, 'policy_failed', `${MAX_DEATHS} policy threads died before it was evaluated`);
    return false;
  }

  #flush(): void {
    this.#flushing = false;
    if (!this.#active) [this.#active, this.#standIn] = [this.#standIn, undefined];
    if (this.#active) {
      for (const batch of batches(this.#waiting.splice(0)))
        this.#active.post(
          batch,
          batch.map(({ input }) => input),
        );
    }
    this.#recruit();
  }

  #recruit(): void {
    if (!this.#established || this.#starting || this.#standIn) return;
    const needed = !this.#active && this.#waiting.length > 0;
    const welcome = !this.#retired && this.#failures < MAX_FAILURES;
    if (needed || welcome) this.#start();
  }

  #start(): void {
    try {
      this.#starting = new PolicyThread(this.#setup, this);
    } catch (cause) {
      this.#lose(`no policy thread can be started: ${String(cause)}`, false);
    }
  }

  #evaluation(answer: ThreadAnswer | undefined): Evaluation {
    if (answer === undefined) return this.#refusal('policy_failed', 'the policy thread left it unanswered');
    if (typeof answer !== 'string') return this.#refusal(answer.code, answer.detail);
    return this.#kept.get(answer) ?? this.#keep(answer);
  }

  #keep(text: string): Evaluation {
    const decision = JSON.parse(text) as Decision; // the thread checked its shape, and wrote it anew
    const evaluation = {
      answer: pass(decision),
      bundle: this.#setup.bundle.identity,
      result: sha256Hex(text),
    };
    if (this.#kept.size >= KEPT_ANSWERS) this.#kept.clear();
    this.#kept.set(text, evaluation);
    return evaluation;
  }

  #refusal(code: DenialCode, detail: string): Evaluation {
    return { answer: deny(code, detail), bundle: this.#setup.bundle.identity };
  }

  #refuse(job: Job, code: DenialCode, detail: string): void {
    this.#settle(job, this.#refusal(code, detail));
  }

  #settle(job: Job, evaluation: Evaluation): void {
    this.#owed--;
    job.resolve(evaluation);
    if (this.#retired && this.#owed === 0) void this.close();
  }
}

function* batches(jobs: readonly Job[]): Generator<readonly Job[]> {
  let batch: Job[] = [];
  let characters = 0;
  for (const job of jobs) {
    if (
      batch.length === BATCH_INPUTS ||
      (batch.length > 0 && characters + job.input.length > BATCH_CHARACTERS)
    ) {
      yield batch;
      [batch, characters] = [[], 0];
    }
    batch.push(job);
    characters += job.input.length;
  }
  if (batch.length > 0) yield batch;
}
