import { expect, test } from "bun:test";
import { compareChat } from "./comparison.ts";

test("a chat that arrived as it was sent differs in nothing", () => {
  expect(compareChat(["a", "b", "c"], ["a", "b", "c"])).toEqual({
    sent: 3,
    lost: 0,
    duplicates: 0,
    foreign: 0,
    disordered: 0,
  });
});

test("what is missing, doubled or nobody's is counted, each by itself", () => {
  expect(compareChat(["a", "b", "c"], ["a", "c"])).toMatchObject({ lost: 1, duplicates: 0, disordered: 0 });
  expect(compareChat(["a", "b"], ["a", "a", "b", "a"])).toMatchObject({ lost: 0, duplicates: 2, disordered: 0 });
  expect(compareChat(["a"], ["x", "a"])).toMatchObject({ lost: 0, foreign: 1, disordered: 0 });
});

test("another order is seen, also around what was lost", () => {
  expect(compareChat(["a", "b", "c"], ["a", "c", "b"])).toMatchObject({ lost: 0, disordered: 1 });
  expect(compareChat(["a", "b", "c", "d"], ["d", "a"])).toMatchObject({ lost: 2, disordered: 1 });
});
