import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createConsul, kvGet } from "../../../lib/consul/client.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { createDirectory, ownerKey, shardService } from "../../../lib/routing/index.ts";
import { freePort } from "../../../lib/testing/free_port.ts";
import { testConsulAddr } from "../../../lib/testing/servers.ts";
import { until } from "../../../lib/testing/until.ts";
import { proxyTo } from "../testing/proxy.ts";
import { kill, processScenario } from "../testing/shard_process.ts";
import { makePhone, newPhone, newVolume, text } from "../testing/shard_under_test.ts";

const scenario = processScenario();

describe("the owner of a shard", () => {
  test("is replaced at once after a kill", async () => {
    const { simulator, launch } = scenario;
    const business = uuidv7();
    const first = launch();
    await first.pair(simulator, business, newPhone());
    await kill(first);
    const second = launch();
    await second.reaches(business, "open");
    // Consul invalidates the dead owner's session only after up to 30 s: until then a process stands by.
    await until(() => second.log().includes('"status":"open"'), { what: "the log of the opened session" });
    expect(second.log()).not.toContain("the shard stands by");
  });

  test("needs no Consul, to run or to restart", async () => {
    const { simulator, launch } = scenario;
    const [business, contact] = [uuidv7(), newPhone()];
    await makePhone(simulator, contact);
    const [host, port] = testConsulAddr().split(":");
    const consul = await proxyTo(host!, Number(port));
    const env = { CONSUL_HTTP_ADDR: `127.0.0.1:${consul.port}` };
    const shard = launch(env);
    await shard.pair(simulator, business, newPhone());
    consul.stop();
    expect((await shard.send(business, [text(contact, "without Consul")]))[0]?.status).toBe("sent");
    await kill(shard);
    const successor = launch(env);
    await successor.reaches(business, "open");
    expect((await successor.request("GET", "/ready")).status).toBe(200);
    expect((await successor.send(business, [text(contact, "still without")]))[0]?.status).toBe("sent");
  });

  test("excludes a second process on its volume or number", async () => {
    const { launch } = scenario;
    const first = launch();
    await until(async () => (await first.request("GET", "/ready")).ok);
    const sameVolume = launch();
    expect(await sameVolume.exited).toBe(1);
    expect(sameVolume.log()).toContain("is in use by another process");

    const other = newVolume();
    const sameNumber = launch({ AUTH_DIR: other });
    await until(() => sameNumber.log().includes("is owned by another process"), { what: "the standby" });
    expect((await sameNumber.request("GET", "/health")).status).toBe(200);
    expect((await sameNumber.request("GET", "/ready")).status).toBe(503);
    expect((await first.request("GET", "/ready")).status).toBe(200);
    first.process.kill("SIGTERM");
    await until(async () => (await sameNumber.request("GET", "/ready")).ok, { what: "the successor" });
    sameNumber.process.kill("SIGTERM");
    expect(await sameNumber.exited).toBe(0);
    rmSync(other, { recursive: true });
  });

  test("stops cleanly while it stands by", async () => {
    const { launch } = scenario;
    const first = launch();
    await until(async () => (await first.request("GET", "/ready")).ok);
    const other = newVolume();
    const second = launch({ AUTH_DIR: other });
    await until(() => second.log().includes("the shard stands by"), { what: "the standby" });
    second.process.kill("SIGTERM");
    expect(await second.exited).toBe(0);
    rmSync(other, { recursive: true });
  });

  test("is the one that routers find", async () => {
    const { launch, index } = scenario;
    const port = await freePort();
    const owner = launch({ PORT: `${port}` });
    await until(async () => (await owner.request("GET", "/ready")).ok);
    const consul = createConsul({ addr: testConsulAddr() });
    const claimants = [port + 1, port].map((claimed) => ({ id: `claimant-${claimed}`, port: claimed }));
    for (const claimant of claimants) {
      await consul.api.agent.service.register({
        ...claimant,
        name: shardService,
        address: "127.0.0.1",
        meta: { shard: `${index + 1}` },
      });
    }
    const stop = new AbortController();
    const { addresses } = createDirectory({ consul, signal: stop.signal });
    await until(() => addresses.get(index + 1)?.url === `http://127.0.0.1:${port}`, { what: "the owner's address" });
    stop.abort();
    for (const { id } of claimants) await consul.api.agent.service.deregister(id);
  });

  test("exits when another process takes its lock", async () => {
    const { simulator, launch, index } = scenario;
    const business = uuidv7();
    const shard = launch();
    await shard.pair(simulator, business, newPhone());
    const consul = createConsul({ addr: testConsulAddr() });
    const key = ownerKey(index + 1);
    const { ID: usurper } = await consul.api.session.create({ name: "usurper", ttl: "60s", lockdelay: "0s" });
    // The shard may take a free lock back first.
    const usurps = async () => {
      await consul.api.session.destroy((await kvGet(consul, key))!.session!);
      return consul.api.kv.set({ key, value: "usurper", acquire: usurper });
    };
    await until(usurps, { what: "the usurper's lock", everyMs: 1 });
    expect(await shard.exited).toBe(1);
    expect(shard.log()).toContain("is owned by another process now");
    await consul.api.session.destroy(usurper);
  });
});

describe("a volume", () => {
  test("is refused if foreign or of unknown origin", async () => {
    const { launch, index } = scenario;
    const first = launch();
    await until(async () => (await first.request("GET", "/ready")).ok);
    await kill(first);
    const foreign = launch({ SHARD_INDEX: String(index + 1) });
    expect(await foreign.exited).toBe(1);
    expect(foreign.log()).toContain(`belongs to shard ${index + 1}`);

    const unknown = newVolume();
    mkdirSync(join(unknown, "sessions"));
    writeFileSync(join(unknown, "sessions", "x"), "");
    const refused = launch({ AUTH_DIR: unknown });
    expect(await refused.exited).toBe(1);
    expect(refused.log()).toContain("no shard.json");
    rmSync(unknown, { recursive: true });
  });
});
