import { expect, test } from "bun:test";
import { Turns } from "./turns.ts";

function turnsOf(items: readonly string[]): Turns<string> {
  const turns = new Turns<string>();
  for (const item of items) turns.push(item[0]!, item);
  return turns;
}

test("owners take turns and keep their order", () => {
  const turns = turnsOf(["a1", "a2", "a3", "a4", "b1", "c1", "b2"]);
  expect(turns.take(4)).toEqual(["a1", "b1", "c1", "a2"]);
  expect(turns.size).toBe(3);
  turns.push("d", "d1");
  expect(turns.take(9)).toEqual(["b2", "a3", "d1", "a4"]);
  expect([turns.size, turns.take(1)]).toEqual([0, []]);
});

test("one owner alone takes all", () => {
  const turns = turnsOf(["a1", "a2", "a3"]);
  expect([turns.take(2), turns.take(2)]).toEqual([["a1", "a2"], ["a3"]]);
});
