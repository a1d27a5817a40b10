import pino from "pino";
import type { Logger as PinoLogger } from "pino";
import { removeQuotedFields } from "../core/postgres_error.ts";
import { currentSpan } from "../tracing/index.ts";

export type Logger = PinoLogger;
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** Field names that usually hold message contents or secrets. */
const secretNames = new Set(["text", "body", "token", "secret", "password", "authorization", "qr"]);
const censor = "[redacted]";

/**
 * Creates a logger that writes one JSON line an event to stdout. Log ids and counts, never message contents, tokens or
 * keys. As a second line of defence, it redacts fields with the names that such values usually have.
 */
export function createLogger(service: string, level: LogLevel = "info", destination?: pino.DestinationStream): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (line) => inTrace(redacted(line)) },
      serializers: {
        error: (error: Error) => withoutSecrets(removeQuotedFields(pino.stdSerializers.err(error), error)),
      },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

/** Adds the id of the trace in which the line was logged, if it is sampled. */
function inTrace(line: Record<string, unknown>): Record<string, unknown> {
  const span = currentSpan();
  return span === undefined ? line : { ...line, trace_id: span.traceId };
}

/**
 * Redacts the fields of a line, and one level of nested objects. Not pino's own `redact`, because that parses its paths
 * again for every line.
 */
function redacted(line: Record<string, unknown>): Record<string, unknown> {
  const clean = withoutSecrets(line);
  for (const name in clean) {
    const value = clean[name];
    if (typeof value !== "object" || value === null || value instanceof Error || !hasSecrets(value)) continue;
    return Object.fromEntries(
      Object.entries(clean).map(([key, inner]) => [key, isPlain(inner) ? withoutSecrets(inner) : inner]),
    );
  }
  return clean;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !(value instanceof Error) && !Array.isArray(value);

function hasSecrets(fields: object): boolean {
  for (const name in fields) if (secretNames.has(name)) return true;
  return false;
}

/** Returns the same object if it has nothing to redact, which is the usual case. */
function withoutSecrets<T extends object>(fields: T): T {
  if (!hasSecrets(fields)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, secretNames.has(name) ? censor : value]),
  ) as T;
}
