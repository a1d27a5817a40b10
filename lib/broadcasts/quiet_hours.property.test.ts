import { describe, expect, test } from "bun:test";
import { quietUntil } from "./quiet_hours.ts";

const minute = 60_000;
const years = [2011, 2024, 2026];
const zones = Intl.supportedValuesOf("timeZone");

/** The clock changes of a zone in `years`, as instants. */
function transitionsOf(timeZone: string): number[] {
  const found: number[] = [];
  for (const year of years) {
    let at: Temporal.ZonedDateTime | null = Temporal.PlainDateTime.from({ year, month: 1, day: 1 }).toZonedDateTime(
      timeZone,
    );
    for (;;) {
      at = at.getTimeZoneTransition("next");
      if (at === null || at.year > year) break;
      found.push(at.epochMilliseconds);
    }
  }
  return found;
}

const wallClocks = new Map<string, Intl.DateTimeFormat>();
/** Local minutes since midnight, computed by Intl as an oracle for Temporal. */
function wallMinutes(at: number, timeZone: string): number {
  let format = wallClocks.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    wallClocks.set(timeZone, format);
  }
  const text = format.format(at);
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
}

const written = (minutes: number) => {
  const time = ((minutes % 1440) + 1440) % 1440;
  return `${String(Math.floor(time / 60)).padStart(2, "0")}:${String(time % 60).padStart(2, "0")}`;
};
const minutesOf = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
function isQuiet(from: string, to: string, wall: number): boolean {
  const [start, end] = [minutesOf(from), minutesOf(to)];
  return end < start ? wall >= start || wall < end : wall >= start && wall < end;
}

describe("quietUntil at clock changes", () => {
  // One zone of each set of clock changes: the others have the same ones.
  const distinct = new Map<string, { timeZone: string; transitions: number[] }>();
  for (const timeZone of zones) {
    const transitions = transitionsOf(timeZone);
    if (transitions.length > 0)
      distinct.set(`${transitions.join()} ${wallMinutes(transitions[0]!, timeZone)}`, { timeZone, transitions });
  }

  test("covers zones of every kind", () => {
    expect(zones.length).toBeGreaterThan(400);
    expect(distinct.size).toBeGreaterThan(20);
  });

  test("ends after now, in every zone, around every change", () => {
    for (const { timeZone, transitions } of distinct.values()) {
      for (const transition of transitions) {
        const [before, after] = [wallMinutes(transition - minute, timeZone) + 1, wallMinutes(transition, timeZone)];
        const edges = new Set(
          [before, after].flatMap((edge) => [-60, -30, -1, 0, 1, 10, 30, 60].map((step) => written(edge + step))),
        );
        for (const to of edges) {
          for (const from of ["21:00", written(minutesOf(to) - 20), written(minutesOf(to) - 600)]) {
            for (let step = -130; step <= 130; step += 5) {
              const now = transition + step * minute;
              const end = quietUntil({ from, to, timeZone }, new Date(now));
              if (end !== null && end.getTime() > now) continue;
              const quiet = isQuiet(from, to, wallMinutes(now, timeZone));
              if (end === null && !quiet) continue;
              throw new Error(
                `${timeZone} ${from}-${to} at ${new Date(now).toISOString()}: ${end?.toISOString() ?? null}`,
              );
            }
          }
        }
      }
    }
  }, 120_000);

  test("ends at the first minute that is not quiet", () => {
    const picked = [
      "America/New_York",
      "Europe/Berlin",
      "Asia/Jerusalem",
      "Australia/Lord_Howe",
      "Africa/Casablanca",
      "Pacific/Apia",
    ];
    for (const timeZone of picked) {
      for (const transition of transitionsOf(timeZone)) {
        const edge = wallMinutes(transition, timeZone);
        for (const to of [-90, -45, 0, 15, 45, 90].map((step) => written(edge + step))) {
          const from = written(minutesOf(to) - 240);
          for (const step of [-90, -61, -31, -1, 0, 1, 29, 59, 75]) {
            const now = transition + step * minute;
            let first = now;
            while (isQuiet(from, to, wallMinutes(first, timeZone))) first += minute;
            const found = quietUntil({ from, to, timeZone }, new Date(now))?.toISOString() ?? null;
            expect(found, `${timeZone} ${from}-${to} at ${new Date(now).toISOString()}`).toBe(
              first === now ? null : new Date(first).toISOString(),
            );
          }
        }
      }
    }
  }, 120_000);
});
