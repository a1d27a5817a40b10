import { beforeEach, describe, expect, test } from "bun:test";
import type { CopyScope } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { deleteReplaced, takeSnapshot } from "./snapshot.ts";
import type { Snapshot, SnapshotOptions } from "./snapshot.ts";

let stored: Set<string>;
let fails: { delete: boolean; finish: boolean; trim: boolean };
let tail: { seq: number; gaps: number; written: () => Promise<void> };
let options: SnapshotOptions;

beforeEach(() => {
  stored = new Set(["former"]);
  fails = { delete: false, finish: false, trim: false };
  tail = { seq: 7, gaps: 0, written: async () => {} };
  // In this order: the snapshot begins, is finished, and the tail is trimmed.
  const statements = [() => {}, () => refuse(fails.finish), () => refuse(fails.trim)];
  let next = 0;
  const scope = {
    ask: async () => {
      const statement = statements[next++ % 3]!;
      statement();
      return [{ shard: 1 }];
    },
  } as unknown as CopyScope;
  const storage: SealedStore = {
    put: async (key, bytes) => {
      for await (const _ of bytes);
      stored.add(key);
    },
    get: async () => null,
    delete: async (key) => {
      refuse(fails.delete);
      stored.delete(key);
    },
  };
  options = {
    owner: { shard: 1, epoch: 1, volume: crypto.randomUUID() },
    exact: true,
    scope,
    storage,
    tail,
    pages: () => [[["gone", "journal", 1]]],
    objects: new Set(["former"]),
    isPaced: () => false,
    logger: createLogger("test", "info", { write: () => {} }),
  };
});

const refuse = (fault: boolean) => {
  if (fault) throw new Error("a test's fault");
};

const take = async (): Promise<Snapshot | undefined> => {
  const snapshot = await takeSnapshot(options);
  if (snapshot !== undefined) await deleteReplaced(options, snapshot);
  return snapshot;
};

describe("a snapshot", () => {
  test("replaces the former object", async () => {
    const snapshot = await take();
    expect([...stored]).toEqual([snapshot!.key]);
    expect([...options.objects]).toEqual([snapshot!.key]);
  });

  test("counts when a delete or trim fails", async () => {
    fails.delete = true;
    fails.trim = true;
    const first = await take();
    expect(stored).toEqual(new Set(["former", first!.key]));
    fails = { delete: false, finish: false, trim: false };
    const second = await take();
    expect([...stored]).toEqual([second!.key]);
  });

  test("keeps an object whose end is unknown", async () => {
    fails.finish = true;
    await expect(take()).rejects.toThrow("a test's fault");
    const [, unknown] = [...stored];
    expect(stored).toEqual(new Set(["former", unknown!]));
  });

  test("is deleted when changes were dropped", async () => {
    tail.written = async () => void (tail.gaps += 1);
    expect(await take()).toBeUndefined();
    expect([...stored]).toEqual(["former"]);
    expect([...options.objects]).toEqual(["former"]);
  });
});
