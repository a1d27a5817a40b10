import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createArbitraries } from "./arbitraries.ts";

const list = {
  type: "object",
  required: ["size"],
  properties: { size: { type: "integer", minimum: 1, maximum: 5 }, next: { $ref: "#/components/schemas/List" } },
};
const { body, parameter } = createArbitraries({
  openapi: "3.1.0",
  paths: {},
  components: { schemas: { List: list } },
} as never);

describe("bodies", () => {
  test("repeat with the seed", () => {
    const sample = () => fc.sample(body(list), { seed: 7, numRuns: 20 });
    expect(sample()).toEqual(sample());
  });

  test("are often valid, also for recursive schemas", () => {
    const isValid = (text: string) => {
      try {
        const { size } = JSON.parse(text) as { size?: unknown };
        return Number.isInteger(size) && Number(size) >= 1 && Number(size) <= 5;
      } catch {
        return false;
      }
    };
    const valid = fc.sample(body(list), { seed: 7, numRuns: 200 }).filter(isValid);
    expect(valid.length).toBeGreaterThan(80);
    expect(valid.length).toBeLessThan(200);
  });
});

test("optional parameters are left out at times", () => {
  const schema = { type: "string", pattern: "^[0-9]{3}$" };
  const values = fc.sample(parameter({ name: "a", in: "query", schema }), { seed: 7, numRuns: 100 });
  expect(values).toContain(undefined);
  expect(values.some((value) => /^[0-9]{3}$/.test(value ?? ""))).toBeTrue();
});
