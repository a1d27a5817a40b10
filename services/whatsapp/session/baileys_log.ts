import { truncate, maxLoggedError } from "../codec/bounds.ts";
import type { Logger } from "../../../lib/runtime/log.ts";

type BaileysLogger = {
  level: string;
  child(fields: Record<string, unknown>): BaileysLogger;
  trace(fields: unknown, message?: string): void;
  debug(fields: unknown, message?: string): void;
  info(fields: unknown, message?: string): void;
  warn(fields: unknown, message?: string): void;
  error(fields: unknown, message?: string): void;
};

const nothing = () => {};

/**
 * Forwards Baileys' warnings and errors to our log, reduced to the message and the error's text: the other fields hold
 * stanzas, keys and contacts. Leaves out Baileys' advice about its configuration (⚠️), which repeats at every
 * connection.
 */
export function baileysLog(logger: Logger): BaileysLogger {
  const line = (fields: unknown, message?: string) => {
    if (typeof fields === "string") return fields.startsWith("⚠️") ? undefined : logger.warn({ baileys: fields });
    const { err, error } = (fields ?? {}) as { err?: unknown; error?: unknown };
    const thrown = err ?? error;
    logger.warn({
      baileys: message,
      ...(thrown instanceof Error ? { error: truncate(thrown.message, maxLoggedError) } : {}),
    });
  };
  const log: BaileysLogger = {
    level: "warn",
    child: () => log,
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: line,
    error: line,
  };
  return log;
}
