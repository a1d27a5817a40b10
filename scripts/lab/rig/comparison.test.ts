import { describe, expect, test } from "bun:test";
import { compareChat, compareChats } from "./comparison.ts";

describe("compareChat", () => {
  test("finds no difference in an intact chat", () => {
    expect(compareChat(["a", "b", "c"], ["a", "b", "c"])).toEqual({
      sent: 3,
      lost: 0,
      duplicates: 0,
      foreign: 0,
      disordered: 0,
    });
  });

  test("counts lost, duplicate and foreign messages separately", () => {
    expect(compareChat(["a", "b", "c"], ["a", "c"])).toMatchObject({ lost: 1, duplicates: 0, disordered: 0 });
    expect(compareChat(["a", "b"], ["a", "a", "b", "a"])).toMatchObject({ lost: 0, duplicates: 2, disordered: 0 });
    expect(compareChat(["a"], ["x", "a"])).toMatchObject({ lost: 0, foreign: 1, disordered: 0 });
  });

  test("detects another order, also around lost messages", () => {
    expect(compareChat(["a", "b", "c"], ["a", "c", "b"])).toMatchObject({ lost: 0, disordered: 1 });
    expect(compareChat(["a", "b", "c", "d"], ["d", "a"])).toMatchObject({ lost: 2, disordered: 1 });
  });
});

describe("compareChats", () => {
  test("adds up chats that only one side knows", () => {
    const sent = new Map([["1", ["a", "b"]]]);
    const shown = new Map([
      ["1", ["a"]],
      ["2", ["x"]],
    ]);
    expect(compareChats(sent, shown)).toEqual({ sent: 2, lost: 1, duplicates: 0, foreign: 1, disordered: 0 });
  });

  test("reports each disordered chat", () => {
    const disordered: string[] = [];
    compareChats(new Map([["1", ["a", "b"]]]), new Map([["1", ["b", "a"]]]), (contact) => disordered.push(contact));
    expect(disordered).toEqual(["1"]);
  });
});
