import { setSharedTime, sleep } from "../../core/time.ts";
import type { Database } from "./client.ts";
import { sql } from "./literal.ts";
import { forNobody } from "../scope.ts";

export type DatabaseClock = {
  /** How far this machine's clock is ahead of the database's, in ms; null until it was measured. */
  skewMs(): number | null;
  /** Resolves when the database was asked once, or after `firstMs`. */
  ready: Promise<void>;
  close(): Promise<void>;
};

export type DatabaseClockOptions = {
  db: Database;
  everyMs?: number;
  /** Between two attempts before the first success. */
  retryMs?: number;
  /** How long a start waits for the first measurement. */
  firstMs?: number;
  /** A skew beyond this is reported. */
  warnMs?: number;
  /** Called when the skew exceeds `warnMs`, and when it no longer does. */
  onSkew?: (skew: { skewMs: number; exceeded: boolean }) => void;
};

/** Of so many answers the fastest counts: the error is at most half of its round trip. */
const samples = 5;

type Sample = { epochMs: number; at: number; roundTripMs: number };

/**
 * Makes the database's clock the one that this process stores and compares moments by (`sharedNow`), so that replicas
 * whose clocks differ order what they write alike. The skew of this machine's own clock is measured beside it.
 */
export function followDatabaseClock({
  db,
  everyMs = 10_000,
  retryMs = 250,
  firstMs = 2_000,
  warnMs = 2_000,
  onSkew = () => {},
}: DatabaseClockOptions): DatabaseClock {
  const over = new AbortController();
  const asked = Promise.withResolvers<void>();
  let skewMs: number | null = null;
  let exceeded = false;

  const sample = async (): Promise<Sample> => {
    const before = performance.now();
    const [row] = await forNobody(db).ask<[{ at: number }]>(
      sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as at`,
    );
    const after = performance.now();
    return { epochMs: row.at, at: (before + after) / 2, roundTripMs: after - before };
  };
  const measure = async (): Promise<boolean> => {
    // The first one may have waited for a connection.
    let best = await sample();
    for (let n = 1; n < samples; n++) {
      const next = await sample();
      if (next.roundTripMs < best.roundTripMs) best = next;
    }
    setSharedTime(best);
    skewMs = Date.now() - (best.epochMs + performance.now() - best.at);
    if (Math.abs(skewMs) > warnMs !== exceeded) {
      exceeded = !exceeded;
      onSkew({ skewMs: Math.round(skewMs), exceeded });
    }
    return true;
  };
  const following = (async () => {
    for (;;) {
      // Unavailable: the database's time goes on from the last measurement.
      const measured = await measure().catch(() => skewMs !== null);
      asked.resolve();
      await sleep(measured ? everyMs : retryMs, over.signal);
    }
  })().catch(() => {
    // Aborted: it is closed.
  });

  return {
    skewMs: () => skewMs,
    ready: Promise.race([asked.promise, sleep(firstMs, over.signal).catch(() => {})]),
    close: async () => {
      over.abort();
      await following;
    },
  };
}

/** The detail of a readiness check: a wrong clock stops nothing, because moments come from the database. */
export function clockDetail(skewMs: number | null): string {
  if (skewMs === null) return "not measured yet";
  return `${Math.abs(Math.round(skewMs))} ms ${skewMs < 0 ? "behind" : "ahead of"} the database`;
}
