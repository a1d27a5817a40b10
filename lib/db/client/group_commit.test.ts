import { describe, expect, test } from "bun:test";
import { createGroupCommit } from "./group_commit.ts";
import type { GroupCommitOptions } from "./group_commit.ts";

const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A database whose commits end when the test says so; an item below 0 makes its commit fail. */
function slowCommits(changes: Partial<GroupCommitOptions<number, number>> = {}) {
  const commits: { items: number[]; end: () => void }[] = [];
  const add = createGroupCommit<number, number>({
    commit: async (items) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      commits.push({ items, end: resolve });
      await promise;
      if (items.some((item) => item < 0)) throw new Error("refused");
      return items.map((item) => item * 10);
    },
    isItemsFault: () => true,
    maxItems: 3,
    maxCommits: 1,
    maxWaiting: 5,
    overload: () => new Error("overload"),
    ...changes,
  });
  return { add, commits, groups: () => commits.map(({ items }) => items) };
}

describe("createGroupCommit", () => {
  test("commits one item at once, batches later ones", async () => {
    const { add, commits, groups } = slowCommits();
    const first = add(1);
    await tick();
    expect(groups()).toEqual([[1]]);
    const rest = [2, 3, 4, 5].map(add);
    await tick();
    expect(groups()).toEqual([[1]]);
    commits[0]!.end();
    expect(await first).toBe(10);
    await tick();
    commits[1]!.end();
    expect(await Promise.all(rest.slice(0, 3))).toEqual([20, 30, 40]);
    await tick();
    commits[2]!.end();
    expect(await rest[3]).toBe(50);
    expect(groups()).toEqual([[1], [2, 3, 4], [5]]);
  });

  test("fails a refused item alone", async () => {
    const { add, commits, groups } = slowCommits();
    const results = Promise.allSettled([1, -1, 2].map(add));
    for (let n = 0; n < 4; n++) {
      await tick();
      commits[n]!.end();
    }
    expect((await results).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(groups()).toEqual([[1, -1, 2], [1], [-1], [2]]);
  });

  test("fails the whole batch when the database does", async () => {
    const { add, commits } = slowCommits({ isItemsFault: () => false });
    const results = Promise.allSettled([1, -1, 2].map(add));
    await tick();
    commits[0]!.end();
    expect((await results).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(commits).toHaveLength(1);
  });

  test("lets owners take turns", async () => {
    const { add, commits, groups } = slowCommits({ ownerOf: (item) => String(Math.floor(item / 10)) });
    const first = add(1);
    await tick();
    const rest = [11, 12, 13, 14, 21].map(add);
    commits[0]!.end();
    await first;
    await tick();
    expect(groups()).toEqual([[1], [11, 21, 12]]);
    commits[1]!.end();
    await tick();
    commits[2]!.end();
    expect(await Promise.all(rest)).toEqual([110, 120, 130, 140, 210]);
  });

  test("refuses items beyond the queue limit", async () => {
    const { add, commits } = slowCommits({ maxWaiting: 2 });
    const first = add(1);
    await tick();
    const waiting = [add(2), add(3)];
    await expect(add(4)).rejects.toThrow("overload");
    commits[0]!.end();
    await first;
    await tick();
    commits[1]!.end();
    await Promise.all(waiting);
  });
});

describe("an item with a deadline", () => {
  test("is not committed after it", async () => {
    let late = false;
    const { add, commits, groups } = slowCommits({
      dueAtOf: (item) => (item === 2 && late ? 0 : Number.POSITIVE_INFINITY),
      expired: () => new Error("expired"),
    });
    const first = add(1);
    await tick();
    const results = Promise.allSettled([add(2), add(3)]);
    late = true;
    commits[0]!.end();
    await first;
    await tick();
    expect(groups()).toEqual([[1], [3]]);
    commits[1]!.end();
    expect((await results).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });
});

describe("a full queue", () => {
  test("drops expired items before it refuses one", async () => {
    let isOver = false;
    const { add, commits } = slowCommits({
      maxWaiting: 2,
      dueAtOf: (item) => (item === 2 && isOver ? 0 : Number.POSITIVE_INFINITY),
      expired: () => new Error("expired"),
    });
    const first = add(1);
    await tick();
    const results = Promise.allSettled([add(2), add(3)]);
    isOver = true;
    const last = add(4);
    await expect(add(5)).rejects.toThrow("overload");
    commits[0]!.end();
    await first;
    await tick();
    commits[1]!.end();
    expect(await last).toBe(40);
    expect((await results).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });
});

describe("an item that waits for a lock", () => {
  test("is committed alone and takes no commit", async () => {
    const lock = Promise.withResolvers<void>();
    const alone: number[] = [];
    const { add, commits, groups } = slowCommits({
      ownerOf: (item) => (item < 0 ? "blocked" : "other"),
      blocked: {
        isBlocked: () => true,
        commitAlone: async (item) => {
          alone.push(item);
          if (item < 0) await lock.promise;
          return item * 10;
        },
      },
    });
    const blocked = add(-1);
    const other = add(1);
    await tick();
    commits[0]!.end();
    expect(await other).toBe(10);
    const more = [add(-2), add(2)];
    await tick();
    expect(groups()).toEqual([[-1, 1], [2]]);
    expect(alone).toEqual([-1, 1, -2]);
    commits[1]!.end();
    expect(await more[1]).toBe(20);
    lock.resolve();
    expect(await Promise.all([blocked, more[0]])).toEqual([-10, -20]);
  });
});

test("createGroupCommit commits large items in small groups", async () => {
  const owner = (item: number) => (item > 50 ? "large" : "small");
  const { add, commits, groups } = slowCommits({ ownerOf: owner, bytesOf: (item) => item, maxBytes: 100 });
  const all = [1, 90, 80, 2, 70].map(add);
  for (let n = 0; n < 4; n++) {
    await tick();
    commits[n]?.end();
  }
  await Promise.all(all);
  expect(groups()).toEqual([[1, 90, 2], [80], [70]]);
});
