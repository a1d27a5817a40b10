import { describe, expect, test } from "bun:test";
import { createLogger } from "./log.ts";

function lines() {
  const written: string[] = [];
  const logger = createLogger("test", "info", { write: (line: string) => void written.push(line) });
  return { logger, written, last: () => JSON.parse(written.at(-1)!) as Record<string, unknown> };
}

describe("createLogger", () => {
  test("writes level, service, time and fields", () => {
    const { logger, last } = lines();
    logger.warn({ business_id: "b", counts: { sent: 3 } }, "done");
    expect(last()).toMatchObject({
      level: "warn",
      service: "test",
      business_id: "b",
      counts: { sent: 3 },
      msg: "done",
    });
    expect(Number.isNaN(Date.parse(String(last()["time"])))).toBeFalse();
  });

  test("redacts secrets in fields, nested objects and errors", () => {
    const { logger, written, last } = lines();
    const error = Object.assign(new Error("no"), { body: "private-1", status: 500 });
    logger.info(
      { text: "private-2", message: { text: "private-3", id: 7 }, token: "private-4", error, kept: { id: 8 } },
      "x",
    );
    expect(written.join("")).not.toContain("private");
    expect(last()).toMatchObject({
      text: "[redacted]",
      message: { text: "[redacted]", id: 7 },
      kept: { id: 8 },
      error: { message: "no", status: 500 },
    });
  });

  test("does not mutate the caller's fields", () => {
    const { logger } = lines();
    const fields = { text: "x", inner: { qr: "y" } };
    logger.info(fields, "x");
    expect(fields).toEqual({ text: "x", inner: { qr: "y" } });
  });
});
