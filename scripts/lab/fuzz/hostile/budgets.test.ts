import { describe, expect, test } from "bun:test";
import { memoryBudgets, memoryMaxOf, redisMaxMemoryMb } from "./budgets.ts";

describe("memory budgets", () => {
  test("come from every job file", async () => {
    const budgets = await memoryBudgets();
    for (const [kind, mb] of budgets) expect([kind, mb > 0]).toEqual([kind, true]);
    expect(await redisMaxMemoryMb()).toBeLessThan(budgets.get("redis")!);
  });

  test("follow variables and take the last task", () => {
    const text = 'variable "a_max" {\n  type = number\n  default = 7\n}\n memory_max = 5\n memory_max = var.a_max\n';
    expect(memoryMaxOf(text, "a")).toBe(7);
    const object = 'variable "a" { default = { reserve = 3, max = 9 } }\n memory_max = var.a.max\n';
    expect(memoryMaxOf(object, "a")).toBe(9);
    expect(() => memoryMaxOf("memory = 5", "a")).toThrow("no memory_max");
  });
});
