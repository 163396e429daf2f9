/** Main's side of the seam: the `Lineage` that the rest of the house knows, over the writer thread. */
import { statfs } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';
import { LineageUnavailable } from '../lineage.ts';
import type { EntryRequest, Lineage, LineageHealth, LogCondition, Recorded } from '../lineage.ts';
import { MAX_ENTRY_LENGTH } from '../segment.ts';
import { PendingTurn } from './pending-turn.ts';
import type { PendingAppend } from './pending-turn.ts';
import type { Room } from '../space.ts';
import type { TileAddress } from '../tiles/tile.ts';
import type { Ask, Turn, WriterMessage, WriterReady } from './protocol.ts';

/** What is left in an entry for what the writer fills in: time, origin, chain hash, number; the subject's digests. */
const WRITER_ROOM = 1280;

/** How long what closes a permit waits for company: half as many syncs, and no decision waits behind one of them. */
const PATIENCE_MS = 25;

/** Appends in one message: while main acts on the first answers, the writer signs the next ones. */
const MAX_TURN = 16;

/** How a client is set up. */
export interface WriterClientRules {
  readonly worker: Worker;
  readonly ready: Extract<WriterReady, { ready: true }>;
  /** The directory whose file system must have room. */
  readonly directory: string;
  /** An append that waits longer than this is refused. */
  readonly deadlineMs: number;
}

/** The log over its writer thread. */
export class WriterClient implements Lineage {
  readonly origin: string;
  readonly #worker: Worker;
  readonly #directory: string;
  readonly #deadlineMs: number;
  readonly #sent: PendingTurn[] = [];
  readonly #failureListeners: ((cause: Error) => void)[] = [];
  readonly #changeListeners: ((condition: LogCondition) => void)[] = [];
  #turn: PendingTurn | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: LineageUnavailable | undefined;
  #closing: Promise<void> | undefined;
  #dead = false;
  #closedWell = false;
  readonly #exited: Promise<void>;
  #head: string;
  #size: number;
  #room: Room;
  #told: LogCondition;

  constructor({ worker, ready, directory, deadlineMs }: WriterClientRules) {
    this.origin = ready.origin;
    this.#head = ready.head;
    this.#size = ready.size;
    this.#room = ready.room;
    this.#told = this.condition;
    this.#worker = worker;
    this.#directory = directory;
    this.#deadlineMs = deadlineMs;
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (message: WriterMessage) => this.#receive(message));
    worker.on('error', (cause) => this.#end(cause instanceof Error ? cause : new Error(String(cause))));
    worker.on('exit', () => this.#end(new Error('the writer thread has ended')));
  }

  append(request: EntryRequest): Promise<Recorded> {
    const appended = this.#append(request);
    this.#sendFull();
    return appended;
  }

  appendAll(requests: readonly EntryRequest[]): Promise<readonly Recorded[]> {
    const fault = requests.map(tooLarge).find((found) => found !== undefined);
    if (fault) return Promise.reject(fault);
    const appended = Promise.all(requests.map((request) => this.#append(request))); // one turn, so one batch
    this.#sendFull();
    return appended;
  }

  async refuse(statement: string): Promise<string> {
    const receipt = await this.#ask({ kind: 'refuse', statement });
    if (receipt === undefined) throw new LineageUnavailable('the writer signed nothing');
    return receipt;
  }

  checkpoint(): Promise<string> {
    return Promise.resolve(this.#head);
  }

  proof(seq: number): Promise<string | undefined> {
    return this.#ask({ kind: 'proof', seq });
  }

  receipt(seq: number): Promise<string | undefined> {
    return this.#ask({ kind: 'receipt', seq });
  }

  async tile(address: TileAddress, width: number): Promise<Uint8Array | undefined> {
    const text = await this.#ask({ kind: 'tile', address, width });
    return text === undefined ? undefined : Buffer.from(text, 'base64');
  }

  async health(): Promise<LineageHealth> {
    const waiting = [...this.#sent, ...(this.#turn ? [this.#turn] : [])]
      .filter((turn) => !turn.overdue)
      .reduce((sum, turn) => sum + turn.appends.length, 0);
    const { bavail, bsize } = await statfs(this.#directory).catch(() => ({ bavail: 0, bsize: 0 }));
    return { ...this.condition, size: this.#size, waiting, free: bavail * bsize };
  }

  get condition(): LogCondition {
    return { state: this.#state(), room: this.#room };
  }

  onChange(listener: (condition: LogCondition) => void): void {
    this.#changeListeners.push(listener);
  }

  onFailure(listener: (cause: Error) => void): void {
    if (this.#failure) listener(this.#failure);
    else this.#failureListeners.push(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const known = this.#failure;
    if (!this.#dead) this.#openTurn().close = true;
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, this.#deadlineMs);
    await Promise.race([this.#exited, patience.promise]);
    clearTimeout(timer);
    clearTimeout(this.#timer);
    this.#end(new Error(this.#closedWell ? 'the log is closed' : 'the log did not close in time'));
    this.#worker.unref(); // a writer that hangs in the kernel must not keep the process
    if (!this.#closedWell && !known && this.#failure) throw this.#failure;
  }

  #tellChange(): void {
    const { state, room } = this.condition;
    if (state === this.#told.state && room === this.#told.room) return;
    this.#told = { state, room };
    for (const listener of this.#changeListeners) listener(this.#told);
  }

  #state(): LineageHealth['state'] {
    if (this.#closing) return 'closed';
    if (this.#failure) return 'failed';
    return this.#sent[0]?.overdue ? 'stalled' : 'writing';
  }

  /** Why this cannot be recorded now, if so. */
  #unavailable({ patient = false }: EntryRequest): LineageUnavailable | undefined {
    if (this.#closing) return new LineageUnavailable('the log is closed');
    if (this.#failure) return this.#failure;
    if (patient || !this.#sent[0]?.overdue) return undefined;
    return new LineageUnavailable('the log does not answer in time');
  }

  #append(request: EntryRequest): Promise<Recorded> {
    const { late, patient = false } = request;
    return new Promise((resolve, reject) => this.#queue(request, { resolve, reject, late, patient }));
  }

  #queue(request: EntryRequest, pending: PendingAppend): void {
    const unavailable = this.#unavailable(request) ?? tooLarge(request);
    if (unavailable) return pending.reject(unavailable);
    const turn = pending.patient ? this.#openIdleTurn() : this.#openTurn();
    if (request.receipt) turn.evidenceFor.push(turn.appends.length);
    turn.texts.push(request.before, request.between, request.after, request.subject);
    turn.appends.push(pending);
  }

  #ask(ask: Ask): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#closing || this.#dead) return reject(new LineageUnavailable('the log is closed'));
      const turn = this.#openTurn();
      turn.asks.push(ask);
      turn.answers.push({ resolve, reject });
    });
  }

  /** The turn that is sent when main's event loop comes round. */
  #openTurn(): PendingTurn {
    const turn = this.#turn ?? new PendingTurn();
    if (this.#turn && !turn.idle) return turn;
    clearTimeout(turn.idle);
    turn.idle = undefined;
    setImmediate(() => this.#send());
    return (this.#turn = turn);
  }

  /** The turn that is open anyway, or one that waits for company. */
  #openIdleTurn(): PendingTurn {
    if (this.#turn) return this.#turn;
    const turn = new PendingTurn();
    turn.idle = setTimeout(() => this.#send(), PATIENCE_MS);
    return (this.#turn = turn);
  }

  #sendFull(): void {
    if ((this.#turn?.appends.length ?? 0) >= MAX_TURN) this.#send();
  }

  #send(): void {
    const turn = this.#turn;
    if (!turn) return;
    this.#turn = undefined;
    clearTimeout(turn.idle);
    this.#sent.push(turn);
    const { texts, evidenceFor, asks, close } = turn;
    this.#worker.postMessage({ texts, evidenceFor, asks, close } satisfies Turn);
    this.#armDeadline();
  }

  #receive({ answers, failure, head, size, room, closed }: WriterMessage): void {
    this.#head = head;
    this.#size = size;
    this.#room = room;
    this.#closedWell = closed === true;
    if (failure !== undefined) this.#fail(new Error(failure));
    for (const answer of answers) {
      this.#sent.shift()?.settle(answer, this.#failure);
    }
    this.#tellChange();
  }

  /** Looks at the oldest turn only: the writer answers in order. */
  #armDeadline(): void {
    const oldest = this.#sent.find((turn) => !turn.overdue);
    if (!oldest || this.#timer) return;
    const wait = Math.max(1, oldest.since + this.#deadlineMs - performance.now());
    this.#timer = setTimeout(() => this.#checkDeadline(), wait).unref();
  }

  #checkDeadline(): void {
    this.#timer = undefined;
    const limit = performance.now() - this.#deadlineMs;
    for (const turn of this.#sent) {
      if (turn.overdue || turn.since > limit) continue;
      turn.giveUp(new LineageUnavailable(`the log did not answer within ${this.#deadlineMs} ms`));
    }
    this.#armDeadline();
    this.#tellChange();
  }

  /** Nobody will answer any more: whether what waits was recorded shows at the next start. */
  #end(cause: Error): void {
    this.#fail(cause);
    this.#dead = true;
    const reason = this.#failure ?? new LineageUnavailable('the log is closed');
    for (const turn of this.#sent.splice(0)) turn.reject(reason);
    this.#turn?.reject(reason);
    this.#turn = undefined;
  }

  /** Nothing is recorded from here on; what waits is still answered, and refusals are still signed. */
  #fail(cause: Error): void {
    if (this.#failure) return;
    this.#failure = new LineageUnavailable(cause.message, { cause });
    if (this.#closing) return; // `close` says so
    for (const listener of this.#failureListeners.splice(0)) listener(this.#failure);
    this.#tellChange();
  }
}

function tooLarge({ before, between, after }: EntryRequest): LineageUnavailable | undefined {
  const characters = before.length + between.length + after.length;
  if (characters * 3 + WRITER_ROOM <= MAX_ENTRY_LENGTH) return undefined;
  const bytes = Buffer.byteLength(before) + Buffer.byteLength(between) + Buffer.byteLength(after);
  if (bytes + WRITER_ROOM <= MAX_ENTRY_LENGTH) return undefined;
  return new LineageUnavailable(`an entry of ${bytes} bytes is too large to record`);
}
