import pino from "pino";
import type { Logger as PinoLogger } from "pino";

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
  const logger = pino(
    { level, base: { service }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
  return Object.assign(logger, { [asJson]: quickly((logger as unknown as Internals)[asJson]) });
}

/** What pino lets those in on who integrate it. */
const asJson: typeof pino.symbols.asJsonSym = pino.symbols.asJsonSym;
const levels: typeof pino.symbols.lsCacheSym = pino.symbols.lsCacheSym;
const bindings: typeof pino.symbols.chindingsSym = pino.symbols.chindingsSym;
type WriteLine = (this: Internals, fields: object, message: string | undefined, level: number, time: string) => string;
type Internals = {
  [asJson]: WriteLine;
  /** The beginning of a line, by level. */
  [levels]: Record<number, string>;
  /** Those of the logger and its parents, as they stand in a line. */
  [bindings]: string;
};

/**
 * All fields of a line in one call of `JSON.stringify`. Pino's own way, field by field, takes several times as long, and
 * longer than all else that we do about a job.
 */
function quickly(pinos: WriteLine): WriteLine {
  return function (fields, message, level, time) {
    const shown = presentable(fields as Record<string, unknown>);
    try {
      const own = JSON.stringify(shown).slice(1, -1);
      const msg = message === undefined ? "" : `,"msg":${JSON.stringify(message)}`;
      return `${this[levels][level]}${time}${this[bindings]}${own && `,${own}`}${msg}}\n`;
    } catch {
      // What refers to itself, for one; pino leaves out as little as it can.
      return pinos.call(this, shown, message, level, time);
    }
  };
}

/** Without contents and secrets, also one level down, and with errors as objects. The same fields where that changes nothing, which is almost always. */
function presentable(fields: Record<string, unknown>): Record<string, unknown> {
  for (const name in fields) {
    const value = fields[name];
    if (secretNames.has(name) || (isObject(value) && (value instanceof Error || hasSecrets(value)))) return presented(fields);
  }
  return fields;
}

function presented(fields: Record<string, unknown>): Record<string, unknown> {
  const shown = (value: unknown) => {
    if (!isObject(value)) return value;
    return withoutSecrets(value instanceof Error ? pino.stdSerializers.err(value) : value);
  };
  return withoutSecrets(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, shown(value)])));
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);

function hasSecrets(fields: object): boolean {
  for (const name in fields) if (secretNames.has(name)) return true;
  return false;
}

function withoutSecrets(fields: object): Record<string, unknown> {
  if (!hasSecrets(fields)) return fields as Record<string, unknown>;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, secretNames.has(name) ? censor : value]));
}
