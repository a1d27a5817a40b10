import { cut, maxLoggedCause } from "../codec/bounds.ts";
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
 * Baileys' log in ours: warnings and errors, and of those the sentence and the error's message alone. What else
 * it passes are stanzas, keys and contacts. Its advice about the configuration (⚠️), the same at every connection,
 * is left out.
 */
export function baileysLog(logger: Logger): BaileysLogger {
  const line = (fields: unknown, message?: string) => {
    if (typeof fields === "string") return fields.startsWith("⚠️") ? undefined : logger.warn({ baileys: fields });
    const { err, error } = (fields ?? {}) as { err?: unknown; error?: unknown };
    const cause = err ?? error;
    logger.warn({ baileys: message, ...(cause instanceof Error ? { cause: cut(cause.message, maxLoggedCause) } : {}) });
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
