import { describe, expect, test } from "bun:test";
import { RetryBudget } from "./retry_budget.ts";

const stanza = (id: string, from: string) => ({ tag: "message", attrs: { id, from } });

/** As Baileys does it: whether a message is asked for again. */
function ask(budget: RetryBudget, id: string, from: string): boolean {
  budget.received(stanza(id, from));
  const key = `${id}:undefined`;
  const count = budget.get<number>(key) ?? 0;
  if (count >= 5) return false;
  budget.set(key, count + 1);
  return true;
}
const asks = (budget: RetryBudget, from: string, times: number, prefix = from) =>
  Array.from({ length: times }, (_, n) => ask(budget, `${prefix}${n}`, from)).filter((asked) => asked).length;

describe("the budget of retries", () => {
  test("is bounded for one sender across devices and ids", () => {
    const budget = new RetryBudget(() => 0);
    expect(asks(budget, "1@lid", 100) + asks(budget, "1:7@lid", 100)).toBe(10);
    expect(ask(budget, "x", "2@lid")).toBeTrue();
  });

  test("is bounded for all senders together", () => {
    const budget = new RetryBudget(() => 0);
    let total = 0;
    for (let sender = 0; sender < 200; sender++) total += asks(budget, `${sender}@lid`, 10);
    expect(total).toBe(300);
  });

  test("is renewed after its window", () => {
    let now = 0;
    const budget = new RetryBudget(() => now);
    expect(asks(budget, "1@lid", 20)).toBe(10);
    now = 11 * 60_000;
    expect(asks(budget, "1@lid", 20, "later")).toBe(10);
  });

  test("has nothing for ids that no phone creates", () => {
    const budget = new RetryBudget(() => 0);
    expect(ask(budget, "A".repeat(1_000), "1@lid")).toBeFalse();
    expect(asks(budget, "1@lid", 100)).toBe(10);
  });

  test("leaves what is sent again to others alone", () => {
    const budget = new RetryBudget(() => 0);
    asks(budget, "1@lid", 20);
    expect(budget.get("1@lid3:1@lid")).toBeUndefined();
  });
});
