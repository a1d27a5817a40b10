import pino from "pino";
import type { Logger as PinoLogger } from "pino";

export type Logger = PinoLogger;
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

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
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
      redact: {
        paths: [
          "text",
          "body",
          "token",
          "secret",
          "password",
          "authorization",
          "qr",
          "*.text",
          "*.body",
          "*.token",
          "*.secret",
          "*.password",
          "*.authorization",
          "*.qr",
        ],
        censor: "[redacted]",
      },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
