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
