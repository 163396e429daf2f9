/** What Prometheus sees. Labels come from closed sets only: nothing that an agent says can make a new series. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Decided, Finished, Handshake, Observer } from '../gate/observer.ts';
import type { LineageHealth } from '../lineage/lineage.ts';
import type { TimestampReport } from '../lineage/timestamp/timestamp.ts';
import type { WitnessReport } from '../lineage/witness/rounds.ts';
import type { Readiness } from './readiness.ts';
import { READY_PARTS } from './readiness.ts';

/** What is asked at each scrape, and what hosts may stand in a label. */
export interface MetricsSources {
  /** Hosts that the settings name; any other reads `other`. */
  readonly hosts: ReadonlySet<string>;
  readonly readiness: Readiness;
  readonly lineage: { health(): Promise<LineageHealth> };
  readonly version: string;
  /** Undefined where no witness is asked. */
  readonly witnesses: () => WitnessReport | undefined;
  /** Undefined where no time-stamping authority is asked. */
  readonly timestamp: () => TimestampReport | undefined;
  /** Unix time in milliseconds. */
  readonly wall: () => number;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const MS = 1000;
/** As a number, so that an alarm can say `< 3`. */
const ROOM = { ample: 3, scarce: 2, denials: 1, none: 0 } as const;

/** Counts what the gate reports. */
export class Metrics implements Observer {
  readonly #registry = new Registry();
  readonly #sources: MetricsSources;
  readonly #instruments: ReturnType<typeof instruments>;
  readonly #gauges: ReturnType<typeof stateGauges>;
  #text: Promise<string> | undefined;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    this.#instruments = instruments(this.#registry);
    collectDefaultMetrics({ register: this.#registry });
    this.#gauges = stateGauges(this.#registry);
    this.#gauges.info.set({ version: sources.version }, 1);
  }

  decided({ verdict, code, carrier, ms }: Decided): void {
    const { calls, decision, running } = this.#instruments;
    calls.inc({ verdict, code: code ?? 'none', carrier });
    decision.observe({ verdict }, ms / MS);
    if (verdict === 'permit') running.inc();
  }

  finished({ ended, by, host, request, response, duration_ms, usage }: Finished): void {
    const { outcomes, bytes, duration, running, cut, tokens } = this.#instruments;
    const label = this.#sources.hosts.has(host) ? host : 'other';
    running.dec();
    outcomes.inc({ ended, host: label });
    bytes.inc({ direction: 'request', host: label }, request.bytes);
    bytes.inc({ direction: 'response', host: label }, response.bytes);
    duration.observe({ ended }, duration_ms / MS);
    if (ended === 'cut') cut.inc({ code: by ?? 'none' });
    if (!usage) return;
    tokens.inc({ kind: 'input' }, usage.input_tokens ?? 0);
    tokens.inc({ kind: 'output' }, usage.output_tokens ?? 0);
  }

  tunnelled(): void {
    this.#instruments.tunnels.inc();
  }

  handshake({ cause }: Handshake): void {
    this.#instruments.handshakes.inc({ cause });
  }

  malformed({ carrier, status }: { readonly carrier: string; readonly status: number }): void {
    this.#instruments.malformed.inc({ carrier, status: String(status) });
  }

  shed({ carrier, what }: { readonly carrier: string; readonly what: string }): void {
    this.#instruments.shed.inc({ carrier, what });
  }

  aggregated(code: string): void {
    this.#instruments.aggregated.inc({ code });
  }

  /** So many inputs for replay could not be kept. */
  inputsLost(inputs: number): void {
    this.#instruments.inputsLost.inc(inputs);
  }

  /** `Content-Type` of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The Prometheus text format, 0.0.4. It is dear, and anyone may ask: whoever does while it is made is given the same. */
  text(): Promise<string> {
    this.#text ??= this.#make().finally(() => (this.#text = undefined));
    return this.#text;
  }

  async #make(): Promise<string> {
    await this.#readState();
    return this.#registry.metrics();
  }

  async #readState(): Promise<void> {
    const { ready, writing, entries, waiting, free, room } = this.#gauges;
    const { parts } = this.#sources.readiness.report();
    for (const part of READY_PARTS) ready.set({ part }, parts[part] === 'good' ? 1 : 0);
    this.#readWitnesses();
    this.#readTimestamp();
    const health = await this.#sources.lineage.health().catch(() => undefined);
    writing.set(health?.state === 'writing' ? 1 : 0);
    if (!health) return;
    entries.set(health.size);
    waiting.set(health.waiting);
    free.set(health.free);
    room.set(ROOM[health.room]);
  }

  #readWitnesses(): void {
    const { witnesses, cosigned, pending } = this.#gauges;
    const report = this.#sources.witnesses();
    if (!report) return;
    witnesses.reset();
    for (const { said } of report.witnesses) witnesses.inc({ said });
    cosigned.set(report.size);
    pending.set(Math.max(0, this.#sources.wall() - report.since) / MS);
  }

  #readTimestamp(): void {
    const report = this.#sources.timestamp();
    if (!report) return;
    this.#gauges.stamped.set(report.size);
    this.#gauges.unstamped.set(Math.max(0, this.#sources.wall() - report.since) / MS);
  }
}

function instruments(registry: Registry) {
  const registers = [registry];
  return {
    ...tunnelInstruments(registers),
    ...endInstruments(registers),
    calls: new Counter({
      name: 'writ_calls_total',
      help: 'Calls decided, by verdict and denial code.',
      labelNames: ['verdict', 'code', 'carrier'],
      registers,
    }),
    decision: new Histogram({
      name: 'writ_decision_seconds',
      help: 'From the request head to the durable decision.',
      labelNames: ['verdict'],
      buckets: SECONDS,
      registers,
    }),
    running: new Gauge({ name: 'writ_calls_running', help: 'Permitted calls that run now.', registers }),
    malformed: new Counter({
      name: 'writ_malformed_total',
      help: 'Bytes that were not HTTP, answered 400 or 431.',
      labelNames: ['carrier', 'status'],
      registers,
    }),
    inputsLost: new Counter({
      name: 'writ_inputs_lost_total',
      help: 'Policy inputs that were to be kept for replay, and could not be.',
      registers,
    }),
    aggregated: new Counter({
      name: 'writ_denials_aggregated_total',
      help: 'Denials that were counted instead of recorded one by one.',
      labelNames: ['code'],
      registers,
    }),
  };
}

/** What is known of a call once it is over. */
function endInstruments(registers: Registry[]) {
  return {
    outcomes: new Counter({
      name: 'writ_outcomes_total',
      help: 'Permitted calls that ended, by how.',
      labelNames: ['ended', 'host'],
      registers,
    }),
    duration: new Histogram({
      name: 'writ_call_seconds',
      help: 'From the permit to the last byte.',
      labelNames: ['ended'],
      buckets: SECONDS,
      registers,
    }),
    bytes: new Counter({
      name: 'writ_body_bytes_total',
      help: 'Body bytes forwarded.',
      labelNames: ['direction', 'host'],
      registers,
    }),
    cut: new Counter({
      name: 'writ_leases_cut_total',
      help: 'Running calls that were cut, by what ended their lease.',
      labelNames: ['code'],
      registers,
    }),
    tokens: new Counter({
      name: 'writ_llm_tokens_total',
      help: 'Tokens that answers of language models say they cost.',
      labelNames: ['kind'],
      registers,
    }),
  };
}

/** What happens before there is a call. */
function tunnelInstruments(registers: Registry[]) {
  return {
    shed: new Counter({
      name: 'writ_shed_total',
      help: 'Connections, handshakes and HTTP/2 streams over a limit, given up.',
      labelNames: ['carrier', 'what'],
      registers,
    }),
    tunnels: new Counter({
      name: 'writ_tunnels_total',
      help: 'CONNECTs that were opened to be read.',
      registers,
    }),
    handshakes: new Counter({
      name: 'writ_agent_tls_faults_total',
      help: 'TLS with an agent that did not come about: untrusted, unused (it may not trust us), failed.',
      labelNames: ['cause'],
      registers,
    }),
  };
}

/** What the sources say, read anew at each scrape. */
function stateGauges(registry: Registry) {
  const registers = [registry];
  return {
    info: new Gauge({ name: 'writ_info', help: 'This sidecar.', labelNames: ['version'], registers }),
    ready: new Gauge({
      name: 'writ_ready',
      help: 'Whether each part was verified good.',
      labelNames: ['part'],
      registers,
    }),
    writing: new Gauge({ name: 'writ_log_writing', help: 'Whether the log can record.', registers }),
    entries: new Gauge({ name: 'writ_log_entries', help: 'Entries in the lineage log.', registers }),
    waiting: new Gauge({ name: 'writ_log_waiting', help: 'Entries that wait for their sync.', registers }),
    free: new Gauge({
      name: 'writ_log_free_bytes',
      help: 'Free bytes of the log’s file system.',
      registers,
    }),
    witnesses: new Gauge({
      name: 'writ_witnesses',
      help: 'Witnesses that are asked, by what they said last.',
      labelNames: ['said'],
      registers,
    }),
    cosigned: new Gauge({
      name: 'writ_witness_cosigned_entries',
      help: 'Entries under the newest checkpoint with a quorum of cosignatures.',
      registers,
    }),
    pending: new Gauge({
      name: 'writ_witness_pending_seconds',
      help: 'Since the last quorum of witnesses; 0 where none is asked.',
      registers,
    }),
    stamped: new Gauge({
      name: 'writ_timestamp_entries',
      help: 'Entries under the newest timestamped checkpoint.',
      registers,
    }),
    unstamped: new Gauge({
      name: 'writ_timestamp_pending_seconds',
      help: 'Since all of the log was timestamped; 0 where no authority is asked.',
      registers,
    }),
    room: new Gauge({
      name: 'writ_log_room',
      help: 'Room for the log: 3 enough, 2 an alarm, 1 for denials only, 0 for what closes calls only.',
      registers,
    }),
  };
}
