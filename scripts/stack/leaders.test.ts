import { describe, expect, test } from "bun:test";
import { NoAnswer } from "../cli/operator/http.ts";
import { requireLeader } from "./leaders.ts";

const never = () => new Promise<never>(() => {});
const settled = (answer: Promise<unknown>) =>
  answer.then(
    () => "found",
    (error: unknown) => (error as Error).message,
  );

describe("requireLeader", () => {
  test("waits for the end of an election", async () => {
    const answers = [
      Promise.reject(new Error("No cluster leader")),
      Promise.resolve(""),
      Promise.resolve("10.0.0.1:1"),
    ];
    answers[0]!.catch(() => {});
    expect(await settled(requireLeader("Nomad", 5_000, () => answers.shift()!))).toBe("found");
    expect(answers).toEqual([]);
  });

  test.each([
    ["there is no leader", () => Promise.resolve("")],
    ["the agent does not answer", never],
  ])("refuses in words while %s", async (_, ask) => {
    const began = performance.now();
    const refusal = await settled(requireLeader("Nomad at https://n:4646", 400, ask));
    expect(refusal).toContain("Nomad at https://n:4646 found no leader within 0.4 s");
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test("reports a missing agent at once", async () => {
    const missing = new NoAnswer("http://127.0.0.1:1", Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
    expect(await settled(requireLeader("Nomad", 60_000, () => Promise.reject(missing)))).toContain("nothing listens");
  });
});
