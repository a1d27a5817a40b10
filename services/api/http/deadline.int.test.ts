import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { generateKey } from "../../../lib/db/keys/api_key.ts";
import { until } from "../../../lib/testing/until.ts";
import { createHarness } from "../testing/harness.ts";
import { programCommand, programEnv } from "../../../lib/testing/program.ts";

describe("deadline of a request", () => {
  test("answers 503 with Retry-After while a dependency hangs", async () => {
    const hold = Promise.withResolvers<void>();
    let limitMs = 500;
    const api = await createHarness({
      deadlineMs: () => limitMs,
      queueDepths: async () => {
        await hold.promise;
        return [];
      },
    });
    const late = await api.request("GET", "/v1/admin/queues");
    expect([late.status, late.headers.get("retry-after"), late.body.type]).toEqual([
      503,
      "1",
      "urn:prosaas:problem:unavailable",
    ]);
    limitMs = 30_000;
    expect((await api.request("GET", "/v1/businesses")).status).toBe(200);
    hold.resolve();
    await api.close();
  });

  test("holds while the pooler accepts but never answers", async () => {
    const frozen = createServer(() => {});
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    frozen.listen(0, "127.0.0.1", resolve);
    await listening;
    const child = Bun.spawn(programCommand("services/api/main.ts"), {
      env: {
        ...programEnv(),
        PORT: "0",
        DATABASE_URL_POOLER: `postgres://app:x@127.0.0.1:${(frozen.address() as AddressInfo).port}/none`,
        REDIS_URL: "redis://127.0.0.1:1",
        CONSUL_HTTP_ADDR: "127.0.0.1:1",
        SHARD_TOKEN: "a token of the shards",
        DATA_KEYS: `test:${randomBytes(32).toString("base64")}`,
        NOMAD_ALLOC_ID: "supervised",
      },
      stdout: "pipe",
      stderr: "ignore",
    });
    let log = "";
    const reading = (async () => {
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) log += chunk;
    })();
    const [, port] = await until(() => /"port":(\d+)/.exec(log), { what: "the port in the log" });
    const ask = async () => {
      const began = performance.now();
      const answer = await fetch(`http://127.0.0.1:${port}/v1/businesses`, {
        headers: { authorization: `Bearer ${generateKey().key}` },
      });
      return { status: answer.status, retryAfter: answer.headers.get("retry-after"), ms: performance.now() - began };
    };
    // More requests than pool connections, so the last ones queue.
    for (const { status, retryAfter, ms } of await Promise.all(Array.from({ length: 30 }, ask))) {
      expect(status).toBe(503);
      expect(Number(retryAfter)).toBeGreaterThan(0);
      expect(ms).toBeLessThan(10_000);
    }
    child.kill("SIGKILL");
    await child.exited;
    await reading;
    frozen.close();
  });
});
