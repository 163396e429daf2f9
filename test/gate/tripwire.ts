/** Stands between parts and whoever calls them: counts every call, and makes one of them go wrong. */

/**
 * How a call goes wrong. `late`: it is done, and its answer comes when the test lets it. `gone`: it is done, and what
 * `onGone` does was done right before. `due`: it sets a timer, whose time is over at once.
 */
export type Harm = 'throws' | 'rejects' | 'late' | 'gone' | 'due';

/** One call that was made: the part's name and member, and how often it had been made before. */
export interface Point {
  readonly name: string;
  readonly nth: number;
  /** Its answer was a promise. */
  readonly waits: boolean;
}

/** Which call goes wrong, and how. */
export interface Trap extends Point {
  readonly harm: Harm;
}

/** What these calls answer with is a part itself. */
const PARTS: Readonly<Record<string, string>> = {
  'leases.open': 'lease',
  'spool.open': 'file',
  identity: 'tls',
  proxyFor: 'hop',
};

/** Wires that are heard as long as they are armed. */
export class Tripwire {
  #calls: { name: string; nth: number; waits: boolean }[] = [];
  #counts = new Map<string, number>();
  #trap: Trap | undefined;
  #armed = false;
  #tripped: () => void = () => undefined;
  #release: () => void = () => undefined;
  #onGone: () => void = () => undefined;

  /** What `gone` stands for. */
  onGone(listener: () => void): void {
    this.#onGone = listener;
  }

  /** Counts from here on; resolves once the trap was stepped into. */
  arm(trap?: Trap): Promise<void> {
    this.#calls = [];
    this.#counts = new Map();
    this.#trap = trap;
    this.#armed = true;
    return new Promise((resolve) => (this.#tripped = resolve));
  }

  /** Counts no more; every call since `arm`. */
  disarm(): readonly Point[] {
    this.#armed = false;
    this.#trap = undefined;
    return this.#calls;
  }

  /** Lets the answer that is late through. */
  release(): void {
    this.#release();
  }

  /** The same part, with a wire before its methods and accessors, and before itself where it is a function. */
  wire<T extends object>(name: string, part: T): T {
    return new Proxy(part, {
      apply: (target, _this, given: unknown[]) =>
        this.#call(name, () => Reflect.apply(target as unknown as () => unknown, undefined, given), given), // it is one, or this is never called
      get: (target, member) => {
        const read = (): unknown => Reflect.get(target, member, target);
        const full = `${name}.${String(member)}`;
        if (hasGetter(target, member)) return this.#call(full, read);
        const value = read();
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) =>
          this.#call(full, () => Reflect.apply(value as () => unknown, target, given), given); // asked above
      },
    });
  }

  /** `given`: what `make` will be called with. */
  #call(name: string, make: () => unknown, given: unknown[] = []): unknown {
    if (!this.#armed) return this.#partOf(name, make());
    const nth = this.#counts.get(name) ?? 0;
    this.#counts.set(name, nth + 1);
    const point = { name, nth, waits: false };
    this.#calls.push(point);
    const { harm } = this.#trap?.name === name && this.#trap.nth === nth ? this.#trap : {};
    if (harm) this.#tripped();
    if (harm === 'throws') throw new Error('broken on purpose');
    if (harm === 'rejects') return Promise.reject(new Error('broken on purpose'));
    if (harm === 'gone') this.#onGone();
    if (harm === 'due') given[0] = 0; // milliseconds
    const answer = this.#partOf(name, make());
    point.waits = answer instanceof Promise;
    if (harm !== 'late') return answer;
    return new Promise<void>((resolve) => (this.#release = resolve)).then(() => answer);
  }

  #partOf(name: string, answer: unknown): unknown {
    const part = PARTS[name];
    if (part === undefined) return answer;
    const wired = (each: unknown): unknown => (each instanceof Object ? this.wire(part, each) : each);
    return answer instanceof Promise ? answer.then(wired) : wired(answer);
  }
}

function hasGetter(target: object, member: PropertyKey): boolean {
  for (let at: unknown = target; at instanceof Object; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, member);
    if (found) return found.get !== undefined;
  }
  return false;
}
