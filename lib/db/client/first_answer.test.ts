import { describe, expect, test } from "bun:test";
import { firstAnswer } from "./first_answer.ts";

const never = new AbortController().signal;
const refuse = async () => {
  throw new Error("connection refused");
};

describe("firstAnswer", () => {
  test("retries until the database answers", async () => {
    let pings = 0;
    const ping = async () => {
      pings += 1;
      if (pings < 3) await refuse();
    };
    expect(await firstAnswer({ ping }, never)).toBeTrue();
    expect(pings).toBe(3);
  });

  test("gives up at the deadline", async () => {
    expect(await firstAnswer({ ping: refuse }, never, 150)).toBeFalse();
  });

  test("ends when the service stops", async () => {
    const stopping = new AbortController();
    const waiting = firstAnswer({ ping: refuse }, stopping.signal);
    stopping.abort();
    expect(await waiting).toBeFalse();
  });
});
