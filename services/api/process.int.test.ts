import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { ensureAdminKey } from "../../lib/db/keys/admin_key.ts";
import { generateKey } from "../../lib/db/keys/api_key.ts";
import { createMigratedDatabase } from "../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../lib/testing/database.ts";
import { until } from "../../lib/testing/until.ts";
import { programCommand, programEnv } from "../../lib/testing/program.ts";

let database: MigratedDatabase;
const adminKey = generateKey().key;
beforeAll(async () => {
  database = await createMigratedDatabase();
  await ensureAdminKey(database.owner, adminKey);
});
afterAll(() => database.close());

function start(env: Record<string, string>) {
  return Bun.spawn(programCommand("services/api/main.ts"), {
    env: { ...programEnv(), ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
}

describe("the process", () => {
  test("reports every configuration fault and exits 2", async () => {
    const faulty = start({
      DATABASE_URL_POOLER: "nonsense",
      SHARD_TOKEN: "short",
      BAILEYS_SHARD_x_URL: "http://x",
      PORT: "70000",
    });
    expect(await faulty.exited).toBe(2);
    const said = await new Response(faulty.stderr).text();
    for (const name of ["DATABASE_URL_POOLER", "SHARD_TOKEN", "BAILEYS_SHARD_x_URL", "PORT", "REDIS_URL", "DATA_KEYS"])
      expect(said).toContain(name);
  });

  test("serves without Redis and Consul; SIGTERM exits 0", async () => {
    const api = start({
      PORT: "0",
      DATABASE_URL_POOLER: database.appUrl,
      REDIS_URL: "redis://127.0.0.1:1",
      CONSUL_HTTP_ADDR: "127.0.0.1:1",
      SHARD_TOKEN: "a token of the shards",
      DATA_KEYS: `test:${randomBytes(32).toString("base64")}`,
      NOMAD_ALLOC_ID: "supervised",
    });
    let log = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of api.stdout) log += decoder.decode(chunk, { stream: true });
    })();
    const [, port] = await until(() => /"port":(\d+)/.exec(log), { what: "the port in the log" });
    const url = `http://127.0.0.1:${port}`;
    const [, opsPort] = await until(() => /"ops_port":(\d+)/.exec(log), { what: "the operational port in the log" });
    await until(async () => (await fetch(`http://127.0.0.1:${opsPort}/ready`)).ok, { what: "readiness" });
    for (const path of ["/health", "/ready", "/metrics"]) {
      expect((await fetch(`http://127.0.0.1:${opsPort}${path}`)).status).toBe(200);
      expect((await fetch(`${url}${path}`)).status).toBe(404);
    }
    const headers = { authorization: `Bearer ${adminKey}`, "content-type": "application/json" };
    const created = await fetch(`${url}/v1/businesses`, {
      method: "POST",
      headers,
      body: JSON.stringify({ name: "Secret Santa Ltd" }),
    });
    expect(created.status).toBe(201);
    api.kill("SIGTERM");
    expect(await api.exited).toBe(0);
    await reading;
    expect(log).toContain('"status":201');
    expect(log).not.toContain(adminKey);
    expect(log).not.toContain("Secret Santa");
  });
});
