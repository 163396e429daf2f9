/** The process's own log: JSON lines for the operator. Evidence is the lineage log's business, never this one's. */
import { pino } from 'pino';
import { safeText } from './safe-text.ts';

/** A value that may stand beside a message. */
export type LogValue = string | number | boolean | null | undefined | readonly (string | number)[];

/** What rooms see of the log. Messages are our own words; what came from outside goes into the details. */
export interface Log {
  debug(message: string, details?: Readonly<Record<string, LogValue>>): void;
  info(message: string, details?: Readonly<Record<string, LogValue>>): void;
  warn(message: string, details?: Readonly<Record<string, LogValue>>): void;
  error(message: string, details?: Readonly<Record<string, LogValue>>): void;
}

/** From chatty to quiet. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const MAX_TEXT = 2048;
const SECRET_NAMES =
  /^(authorization|proxy[-_]?authorization|cookie|set[-_]?cookie|writ[-_]?grant|grant|token|secret|password|d)$/i;
/** A compact JWS, or what follows an authentication scheme. */
const SECRET_TEXT =
  /\beyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){1,2}|\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{8,}/gi;

/** A log that writes each line at once, so that the last one before a crash is there. */
export function makeLog(level: LogLevel, destination: { write(line: string): unknown }): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: clean },
    },
    { write: (line: string) => void destination.write(line) },
  );
  return {
    debug: (message, details = {}) => logger.debug(details, message),
    info: (message, details = {}) => logger.info(details, message),
    warn: (message, details = {}) => logger.warn(details, message),
    error: (message, details = {}) => logger.error(details, message),
  };
}

/** Attacker-controlled text with its secrets hidden, its controls visible and its length bounded. */
function cleanText(text: string): string {
  const hidden = text.replace(SECRET_TEXT, '[secret]');
  const short =
    hidden.length > MAX_TEXT ? `${hidden.slice(0, MAX_TEXT)}… (${hidden.length} characters)` : hidden;
  return safeText(short);
}

function clean(details: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => [safeText(name), cleanValue(name, value)]),
  );
}

function cleanValue(name: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (SECRET_NAMES.test(name)) return '[secret]';
  if (Array.isArray(value)) return value.map((item) => cleanValue(name, item));
  return typeof value === 'string' ? cleanText(value) : value;
}
