import { describe, expect, test } from "bun:test";
import { Placeholders } from "./placeholders.ts";

const group = "120363000000000001@g.us";

/** Adds undecryptable messages of one member; returns how many were recorded. */
function recordedOf(count: number, hasSession: boolean, at = (_: number) => 1_000_000): number {
  const placeholders = new Placeholders({ read: () => undefined, write: () => {} });
  return Array.from({ length: count }, (_, n) =>
    placeholders.add(
      { key: { id: `A${n}`, remoteJid: group, participant: "9@lid" }, at: 1, reason: "undecryptable" },
      hasSession,
      at(n),
    ),
  ).filter((result) => result === "recorded").length;
}

/** Reads and writes like an auth store. */
function memoryStore() {
  const values = new Map<string, Buffer | null>();
  return {
    read: (name: string) => values.get(name) ?? undefined,
    write: (entries: [string, Buffer | null][]) => {
      for (const [name, value] of entries) values.set(name, value);
    },
  };
}

describe("a filled placeholder", () => {
  const key = { id: "A1", remoteJid: "9@lid" };
  const filled = (store = memoryStore()) => {
    const placeholders = new Placeholders(store);
    placeholders.add({ key, at: 1, reason: "not_resent" });
    placeholders.settle("A1");
    return placeholders;
  };

  test("keeps its name for repeated content, across restarts", () => {
    const store = memoryStore();
    expect(filled(store).get("A1")?.key).toEqual(key);
    expect(new Placeholders(store).get("A1")?.key).toEqual(key);
  });

  test("is neither requested nor reported nor recorded again", () => {
    const placeholders = filled();
    expect(placeholders.due()).toEqual([]);
    expect(placeholders.overdue(0)).toEqual([]);
    expect(placeholders.add({ key, at: 1, reason: "not_resent" })).toBe("ignored");
  });

  test("is forgotten after a hundred others", () => {
    const placeholders = filled();
    for (let n = 0; n < 100; n++) {
      placeholders.add({ key: { id: `B${n}`, remoteJid: group }, at: 1, reason: "not_resent" });
      placeholders.settle(`B${n}`);
    }
    expect(placeholders.get("A1")).toBeUndefined();
    expect(placeholders.get("B0")).toBeDefined();
  });
});

describe("undecryptable messages of one sender", () => {
  test("are limited without a session", () => expect(recordedOf(50, false)).toBe(20));
  test("fill the capacity with a session", () => expect(recordedOf(250, true)).toBe(200));
  test("are limited by the hour", () => expect(recordedOf(50, false, (n) => n * 600_000)).toBe(50));

  test("are reported where they exceed the share", () => {
    const placeholders = new Placeholders({ read: () => undefined, write: () => {} });
    const add = (id: string) => placeholders.add({ key: { id, remoteJid: group }, at: 1, reason: "undecryptable" });
    for (let n = 0; n < 20; n++) expect(add(`A${n}`)).toBe("recorded");
    expect(add("A20")).toBe("over_share");
    expect(add("A0")).toBe("ignored");
  });
});

describe("a request for content on an open connection", () => {
  test("is repeated five times after doubling waits", () => {
    const placeholders = new Placeholders(memoryStore());
    const from = Date.now();
    const key = { id: "A1", remoteJid: group };
    placeholders.add({ key, at: from / 1000, reason: "not_resent" }, false, from);
    const repeated: number[] = [];
    for (let s = 0; s <= 10_000; s += 5) {
      for (const { id } of placeholders.repeatable(30_000, from + s * 1000)) {
        repeated.push(s);
        placeholders.requested(id);
      }
    }
    expect(repeated).toEqual([30, 60, 120, 240, 480]);
  });
});

describe("text chosen by a sender", () => {
  test("is stored up to a limit", () => {
    const store = memoryStore();
    const placeholders = new Placeholders(store);
    const add = (id: string) =>
      placeholders.add({
        key: { id, remoteJid: "9@lid" },
        at: 1,
        push_name: "n".repeat(10_000),
        reason: "undecryptable",
      });
    expect([add("A".repeat(129)), add("A")]).toEqual(["ignored", "recorded"]);
    expect(store.read("placeholders")!.length).toBeLessThan(1_000);
  });
});
