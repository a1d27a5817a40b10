import { describe, expect, test } from "bun:test";
import { cpuOf, cpuShares, memoryBudgets, memoryMaxOf, redisMaxMemoryMb } from "./budgets.ts";

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

describe("CPU shares", () => {
  test("come from the job files, the attackers' last", async () => {
    const { attackers, ...others } = await cpuShares(["api", "shard-1", "worker-1-high", "worker-3-low", "consul"]);
    for (const [name, share] of Object.entries(others)) expect([name, share > 10 * attackers!]).toEqual([name, true]);
  });

  test("follow the group of a job", () => {
    const text = " cpu = lookup({ high = 7, low = 3 }, group.key, 5) # MHz\n";
    expect(["high", "low", "default"].map((group) => cpuOf(text, "a", group))).toEqual([7, 3, 5]);
  });
});
