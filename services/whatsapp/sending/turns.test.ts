import { expect, test } from "bun:test";
import { Turns } from "./turns.ts";

test("turns are given in the order they were asked for, one in each turn of the loop", async () => {
  const turns = new Turns();
  const given: string[] = [];
  const work = async (name: string) => {
    for (let i = 0; i < 2; i++) {
      await turns.next();
      given.push(`${name}${i}`);
    }
  };
  let loops = 0;
  const count = () => {
    loops += 1;
    given.push("|");
    if (given.filter((one) => one !== "|").length < 4) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all([work("a"), work("b")]);
  expect(given.filter((one) => one !== "|")).toEqual(["a0", "b0", "a1", "b1"]);
  expect(loops).toBeGreaterThanOrEqual(3);
});

test("work that never waits for anything else starves no timer", async () => {
  const turns = new Turns();
  let timer = false;
  setTimeout(() => (timer = true), 1);
  while (!timer) await turns.next();
  expect(timer).toBeTrue();
});
