import pino from "pino";
import type { Logger as PinoLogger } from "pino";
import { removeQuotedFields } from "../core/postgres_error.ts";

export type Logger = PinoLogger;
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** Names under which contents and secrets would travel. */
const secretNames = new Set(["text", "body", "token", "secret", "password", "authorization", "qr"]);
const censor = "[redacted]";

/**
 * A logger that writes one JSON line an event to stdout. Lines bear ids and counts; message contents, tokens
 * and keys are never passed to it, and the names under which they would travel are redacted as a second wall.
 */
export function createLogger(service: string, level: LogLevel = "info", destination?: pino.DestinationStream): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redacted },
      serializers: {
        error: (error: Error) => withoutSecrets(removeQuotedFields(pino.stdSerializers.err(error), error)),
      },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

/** The fields of a line, and the fields of those that are objects. Pino's own `redact` parses its paths anew for every line. */
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

/** The same object where there is nothing to hide, which is almost always. */
function withoutSecrets<T extends object>(fields: T): T {
  if (!hasSecrets(fields)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, secretNames.has(name) ? censor : value]),
  ) as T;
}
