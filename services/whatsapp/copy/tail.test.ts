import { randomBytes } from "node:crypto";
import { describe, expect, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import type { AppendOutcome, TailEntry } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { decode } from "./records.ts";
import type { ChangeRecord } from "./records.ts";
import { contextOf, CopyLost, Tail } from "./tail.ts";
import type { TailOptions } from "./tail.ts";

const sealer = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`).rotatingSealer("tail", Buffer.alloc(0));
const unavailable = () => new AppError("unavailable", "The database is unavailable.");
const auth = (name: string, value: string): ChangeRecord => ["auth", "sessions", "b", name, Buffer.from(value)];

/** A tail whose Postgres gives these answers; undefined: it stores everything. */
function started(
  answer: (after: number) => AppendOutcome | Error | undefined = () => undefined,
  more: Partial<TailOptions> = {},
) {
  const stored: TailEntry[] = [];
  const gaps: boolean[] = [];
  const seen = { gaps: [] as string[], lost: 0, appends: 0 };
  const tail = new Tail({
    shard: 3,
    seq: 0,
    sealer,
    spacingMs: 1,
    renewMs: 60_000,
    maxPendingBytes: 10_000,
    append: async ({ after, entries, gap }) => {
      seen.appends += 1;
      const outcome = answer(after);
      if (outcome instanceof Error) throw outcome;
      if (outcome !== undefined) return outcome;
      stored.splice(after);
      stored.push(...entries);
      gaps.push(gap);
      return { is: "appended" };
    },
    onAppended: () => {},
    onGap: (reason) => void seen.gaps.push(reason),
    onLost: () => void (seen.lost += 1),
    onError: () => {},
    ...more,
  });
  const records = () =>
    stored.flatMap(({ key_id: keyId, box }, n) =>
      decode(Buffer.from(Bun.zstdDecompressSync(sealer.open({ keyId, box }, contextOf(3, n + 1))))).map((record) =>
        record.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value)),
      ),
    );
  return { tail, stored, records, gaps, seen };
}

describe("the tail", () => {
  test("stores changes in order, a repeated value once", async () => {
    const { tail, records } = started();
    tail.add([auth("a", "1"), ["removed", "sessions", "c"], auth("b", "1")]);
    tail.add([auth("a", "2")]);
    await tail.stored();
    tail.add([["gone", "journal", 1]]);
    expect(await tail.close()).toBeTrue();
    expect(records()).toEqual([
      ["removed", "sessions", "c"],
      ["auth", "sessions", "b", "b", "1"],
      ["auth", "sessions", "b", "a", "2"],
      ["gone", "journal", 1],
    ]);
  });

  test("splits a large batch into rows of bounded size", async () => {
    const { tail, stored, records } = started(() => undefined, { maxPendingBytes: 64 * 1024 * 1024 });
    const half = Buffer.alloc(600 * 1024, "x").toString();
    tail.add(Array.from({ length: 10 }, (_, n) => auth(`${n}`, half)));
    await tail.stored();
    expect(stored).toHaveLength(10);
    expect(records()).toHaveLength(10);
    expect(tail.seq).toBe(10);
  });

  test("repeats an append that failed", async () => {
    let failures = 2;
    const { tail, records, seen } = started(() => (failures-- > 0 ? unavailable() : undefined));
    tail.add([auth("a", "1")]);
    await tail.stored();
    expect(records()).toHaveLength(1);
    expect(seen.appends).toBe(3);
  });

  test("has a gap after too many changes", async () => {
    const available = Promise.withResolvers<void>();
    const gaps: boolean[] = [];
    const { tail, seen } = started(undefined, {
      append: async ({ gap }) => {
        await available.promise;
        gaps.push(gap);
        return { is: "appended" };
      },
    });
    tail.add([auth("a", "1")]);
    await until(() => tail.behindMs > 5);
    tail.add([auth("big", "x".repeat(20_000))]);
    expect(seen.gaps).toEqual(["too many changes wait for Postgres"]);
    let isStored = false;
    const dropped = tail.stored().then(() => (isStored = true));
    available.resolve();
    tail.add([auth("c", "1")]);
    await tail.written();
    expect(gaps).toEqual([false, true]);
    expect(isStored).toBeFalse();
    expect(tail.bridged(tail.gaps)).toBeTrue();
    await dropped;
    expect(await tail.close()).toBeTrue();
  });

  test("goes on where Postgres ends after rows were lost", async () => {
    let lost = false;
    const { tail, seen, gaps } = started((after) =>
      after === 2 && !lost ? ((lost = true), { is: "gap", tailSeq: 1 }) : undefined,
    );
    for (const name of ["a", "b", "c"]) {
      tail.add([auth(name, "1")]);
      if (name !== "c") await tail.stored();
    }
    const waiting = tail.stored();
    await until(() => seen.gaps.length === 1);
    tail.bridged(tail.gaps);
    await waiting;
    tail.add([auth("d", "1")]);
    await tail.stored();
    expect(gaps).toEqual([false, false, true]);
    expect(tail.seq).toBe(2);
  });

  test("resolves written when its batch is dropped", async () => {
    const available = Promise.withResolvers<void>();
    const { tail, seen } = started(undefined, {
      append: async () => {
        await available.promise;
        return { is: "appended" };
      },
    });
    tail.add([auth("a", "1")]);
    await until(() => tail.behindMs > 5);
    tail.add([auth("b", "1")]);
    const written = tail.written();
    tail.add([auth("big", "x".repeat(20_000))]);
    expect(seen.gaps).toHaveLength(1);
    await written;
    available.resolve();
    await tail.close();
  });

  test("reports a gap before written resolves", async () => {
    const { tail, gaps } = started();
    tail.drop("a test");
    await tail.written();
    expect(gaps).toEqual([true]);
    await tail.close();
  });

  test("keeps a gap open that a snapshot missed", async () => {
    const { tail, gaps } = started();
    tail.drop("before the snapshot");
    const before = tail.stored();
    const { gaps: atStart } = tail;
    await tail.written();
    tail.drop("during the snapshot");
    let isStored = false;
    const after = tail.stored().then(() => (isStored = true));
    await tail.written();
    const reported = gaps.length;
    expect(tail.bridged(atStart)).toBeFalse();
    await before;
    // The snapshot made the copy complete in Postgres.
    await until(() => gaps.length > reported);
    expect(gaps.at(-1)).toBeTrue();
    expect(isStored).toBeFalse();
    expect(tail.bridged(tail.gaps)).toBeTrue();
    await after;
    expect(await tail.close()).toBeTrue();
  });

  test("drops changes that Postgres refuses", async () => {
    let refuses = true;
    const { tail, seen, records, gaps } = started(() =>
      refuses ? ((refuses = false), new Error("violates check constraint")) : undefined,
    );
    tail.add([auth("big", "1")]);
    await tail.written();
    expect(seen.gaps).toEqual(["Postgres refuses changes: violates check constraint"]);
    tail.add([auth("a", "1")]);
    await tail.written();
    expect(records()).toEqual([["auth", "sessions", "b", "a", "1"]]);
    expect(gaps).toContain(true);
    await tail.close();
  });

  test("stores nothing while an earlier batch is missing", async () => {
    const answered = Promise.withResolvers<void>();
    let appends = 0;
    const { tail, seen } = started(undefined, {
      append: async () => {
        if (appends++ > 0) return { is: "appended" };
        await answered.promise;
        throw new Error("violates check constraint");
      },
    });
    tail.add([auth("a", "1")]);
    await until(() => appends === 1);
    tail.add([auth("b", "1")]);
    let isStored = false;
    const stored = tail.stored().then(() => (isStored = true));
    answered.resolve();
    await until(() => seen.gaps.length === 1);
    await tail.written();
    expect(isStored).toBeFalse();
    tail.bridged(tail.gaps);
    await stored;
    expect(await tail.close()).toBeTrue();
  });

  test("ends for a former owner", async () => {
    const { tail, seen } = started(() => ({ is: "lost" }));
    tail.add([auth("a", "1")]);
    await expect(tail.stored()).rejects.toBeInstanceOf(CopyLost);
    await expect(tail.stored()).rejects.toBeInstanceOf(CopyLost);
    expect(seen.lost).toBe(1);
    expect(await tail.close()).toBeFalse();
  });

  test("closes without Postgres, and says so", async () => {
    const { tail } = started(unavailable);
    tail.add([auth("a", "1")]);
    expect(await tail.close()).toBeFalse();
  });

  test("renews the lease while nothing changes", async () => {
    const { tail, seen, stored } = started(() => undefined, { renewMs: 5 });
    await until(() => seen.appends > 2);
    expect(stored).toEqual([]);
    expect(await tail.close()).toBeTrue();
  });
});
