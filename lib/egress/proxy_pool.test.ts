import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../testing/until.ts";
import { startHttpProxy, startSocksProxy } from "./proxies.fixture.ts";
import type { TestProxy } from "./proxies.fixture.ts";
import { zProxies } from "./proxy.ts";
import { ProxyPool } from "./proxy_pool.ts";

const target = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("reached") });
let proxies: Record<string, TestProxy>;
beforeAll(async () => {
  proxies = { http: await startHttpProxy(), socks5: await startSocksProxy() };
});
afterAll(async () => {
  await target.stop(true);
  for (const proxy of Object.values(proxies)) await proxy.stop();
});

const poolOf = (url: string) =>
  ProxyPool.start({
    proxies: zProxies.parse(JSON.stringify({ shards: { 1: url } })),
    target: { host: "127.0.0.1", port: target.port! },
    everyMs: 50,
    timeoutMs: 2_000,
  });
const business = { id: "b", shard: 1 };
const checked = (pool: ProxyPool) =>
  until(() => pool.healthOf(business)?.healthy !== null && pool.healthOf(business), { what: "a check" });

describe("a pool of proxies", () => {
  test.each(["http", "socks5"])("reaches the target through %s", async (protocol) => {
    const pool = await poolOf(proxies[protocol]!.url);
    expect(await checked(pool)).toMatchObject({ healthy: true, error: null });
    expect(proxies[protocol]!.tunnels).toContain(`127.0.0.1:${target.port}`);
    expect(JSON.stringify(pool.health())).not.toContain("p@ss");
    pool.stop();
  });

  test.each(["http", "socks5"])("reports refused credentials of %s without them", async (protocol) => {
    const pool = await poolOf(proxies[protocol]!.url.replace("anna", "wrong"));
    const health = await checked(pool);
    expect(health).toMatchObject({ healthy: false, error: expect.any(String) });
    expect(JSON.stringify(health)).not.toMatch(/wrong|word/);
    pool.stop();
  });

  test("reports a dead proxy", async () => {
    const pool = await poolOf("http://127.0.0.1:1");
    expect(await checked(pool)).toMatchObject({ healthy: false, proxy: "http://127.0.0.1:1" });
    expect(pool.urlOf({ id: "b", shard: 2 })).toBeUndefined();
    pool.stop();
  });
});

describe("the bridge to a SOCKS proxy", () => {
  test("refuses clients without its password", async () => {
    const pool = await poolOf(proxies["socks5"]!.url);
    const url = new URL(pool.urlOf(business)!);
    const before = proxies["socks5"]!.tunnels.length;
    url.password = "guessed";
    await expect(fetch("https://127.0.0.1:9/", { proxy: url.href })).rejects.toThrow();
    expect(proxies["socks5"]!.tunnels.slice(before).filter((tunnel) => tunnel.endsWith(":9"))).toEqual([]);
    pool.stop();
  });
});
