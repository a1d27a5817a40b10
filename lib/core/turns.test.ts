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

test("light items go ahead of heavy ones", () => {
  const turns = turnsOf(["a500", "a1", "b500", "c2", "c3"]);
  const take = () => turns.take(9, (item) => Number(item.slice(1)), 505);
  expect(take()).toEqual(["a500", "c2", "a1"]);
  expect(take()).toEqual(["b500", "c3"]);
  expect([turns.size, take()]).toEqual([0, []]);
});

test("an item above the weight goes alone", () => {
  const turns = turnsOf(["a9", "a9", "b9"]);
  const take = () => turns.take(9, (item) => Number(item.slice(1)), 5);
  expect([take(), take(), take()]).toEqual([["a9"], ["b9"], ["a9"]]);
});

test("removed items leave the order of the others", () => {
  const turns = turnsOf(["a1", "a2", "b1", "c1"]);
  expect(turns.removeIf((item) => item === "a1" || item === "b1")).toEqual(["a1", "b1"]);
  expect([turns.size, turns.take(9)]).toEqual([2, ["a2", "c1"]]);
});
