import { describe, expect, test } from "bun:test";
import { passingQuery, verdictOf } from "./verdicts.ts";

describe("the verdict of a code", () => {
  test.each(["408", "421", "429", "500", "503", "502", "599"])("%s leaves a message undecided", (code) => {
    expect(verdictOf(code).is).toBe("passing");
  });

  test.each(["403", "404", "463", "479", "400", "477"])("%s is final", (code) => {
    const verdict = verdictOf(code);
    expect(verdict.is).toBe("final");
    // Not by `toMatchObject`: Bun writes an asymmetric matcher into the object, here into the shared table.
    expect(verdict.is === "final" ? verdict.meaning : "").toContain(code);
  });

  test.each([408, 421, 429, 500, 503, 504])("%d says nothing about a query's message", (code) => {
    expect(passingQuery({ data: code })).toBe(code);
  });

  test.each([{ data: 404 }, { data: "429" }, new Error("x"), undefined])("of another error is none: %p", (error) => {
    expect(passingQuery(error)).toBeUndefined();
  });
});
