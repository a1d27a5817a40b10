import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { baseEnv, parseConfig, redisEnv, zBool, zInt, zTokens } from "./config.ts";

const schema = z.object({ ...baseEnv, ...redisEnv, COUNT: zInt(1, 5), FLAG: zBool.default(false) });

describe("parseConfig", () => {
  test("reports every fault at once without values", () => {
    const result = parseConfig(schema, {
      PORT: "99999",
      REDIS_URL: "http://user:hunter2@h",
      COUNT: "0",
      FLAG: "maybe",
    });
    const faults = "faults" in result ? result.faults : [];
    expect(faults.map((fault) => fault.variable).toSorted()).toEqual(["COUNT", "FLAG", "PORT", "REDIS_URL"]);
    expect(JSON.stringify(faults)).not.toContain("hunter2");
  });

  test("treats an empty variable as not set", () => {
    const result = parseConfig(schema, { REDIS_URL: "", COUNT: "3", LOG_LEVEL: "" });
    expect(result).toEqual({ faults: [{ variable: "REDIS_URL", message: "is not set" }] });
  });

  test("applies defaults", () => {
    const result = parseConfig(schema, { REDIS_URL: "redis://h:1", COUNT: "3" });
    expect("config" in result && result.config).toMatchObject({
      HOST: "127.0.0.1",
      PORT: 0,
      LOG_LEVEL: "info",
      COUNT: 3,
      FLAG: false,
    });
  });
});

describe("zTokens", () => {
  test("reads tokens with commas between", () => {
    expect(zTokens.parse("0123456789abcdef, fedcba9876543210")).toEqual(["0123456789abcdef", "fedcba9876543210"]);
  });

  test("refuses a list with a short token", () => {
    expect(zTokens.safeParse("0123456789abcdef,").success).toBeFalse();
    expect(zTokens.safeParse("0123456789abcdef,short").success).toBeFalse();
  });
});

test("loadConfig exits 2 and names each invalid variable", async () => {
  const program = `
    import { loadConfig, redisEnv, zInt } from "./config.ts";
    import { z } from "zod";
    loadConfig(z.object({ ...redisEnv, COUNT: zInt(1, 5) }));`;
  const child = Bun.spawn([process.execPath, "-e", program], {
    cwd: import.meta.dir,
    env: { PATH: process.env["PATH"] ?? "", COUNT: "9" },
    stderr: "pipe",
    stdout: "ignore",
  });
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  expect(code).toBe(2);
  expect(stderr).toContain("REDIS_URL: is not set");
  expect(stderr).toContain("COUNT: ");
});
