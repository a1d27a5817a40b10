import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { Entry } from "./entry.ts";

/** Pino's levels (lib/runtime/log.ts), the least severe first. */
export const levels = ["trace", "debug", "info", "warn", "error"] as const;
export type Level = (typeof levels)[number];

export type Filter = {
  /** Unix ms. */
  since: number;
  level?: Level | undefined;
  /** Texts that a line contains: ids of a request and a business. */
  texts: readonly string[];
};

/** Ids are unique, so the whole line is searched: it may hold them in a path, a payload, or without being JSON. */
export function passes({ since, level, texts }: Filter, { at, fields, text, source }: Entry): boolean {
  if (at < since && at !== Number.NEGATIVE_INFINITY) return false;
  if (!texts.every((wanted) => text.includes(wanted))) return false;
  if (level === undefined) return true;
  const own = fields === null ? levelOfText(text) : levels.find((one) => one === fields["level"]);
  // A line without a level is a fault only where programs write faults.
  if (own === undefined) return source.stream === "stderr";
  return levels.indexOf(own) >= levels.indexOf(level);
}

/** The level that Postgres, pgbouncer, nginx or consul-template writes after the time. */
function levelOfText(text: string): Level | undefined {
  const [, word] = /^.{0,80}?\b(DEBUG|INFO|LOG|NOTICE|WARN|WARNING|ERROR|FATAL|PANIC)\b[\]:]/i.exec(text) ?? [];
  return word === undefined ? undefined : (levelsOfWords[word.toUpperCase()] ?? "error");
}

const levelsOfWords: Record<string, Level> = {
  DEBUG: "debug",
  INFO: "info",
  LOG: "info",
  NOTICE: "info",
  WARN: "warn",
  WARNING: "warn",
};

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses "30s", "10m", "2h" or "1d" to ms. */
export function parseAge(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit === undefined) throw new InvalidArgumentError("Give a number and a unit: 30s, 10m, 2h or 1d.");
  return Number(number) * units[unit]!;
}

export function parseLevel(text: string): Level {
  const level = levels.find((one) => one === text);
  if (level === undefined) throw new InvalidArgumentError(`Give one of ${levels.join(", ")}.`);
  return level;
}
