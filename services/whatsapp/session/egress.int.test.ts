import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ProxyPool, zProxies } from "../../../lib/egress/index.ts";
import { startHttpProxy, startHttpsProxy, startSocksProxy } from "../../../lib/egress/proxies.fixture.ts";
import type { TestProxy } from "../../../lib/egress/proxies.fixture.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { trustedCertificate } from "../../../lib/testing/certificate.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
let pool: ProxyPool | undefined;
let proxy: TestProxy;
beforeEach(() => (pool = undefined));
afterEach(async () => {
  pool?.stop();
  await proxy.stop();
});

async function throughProxy(): Promise<void> {
  const { hostname, port } = new URL(scenario.simulator.url);
  pool = await ProxyPool.start({
    proxies: zProxies.parse(JSON.stringify({ businesses: { [scenario.business]: proxy.url } })),
    target: { host: hostname, port: Number(port) },
    everyMs: 100,
  });
  await scenario.restart({ egress: pool });
}

/** The connections that ended so far, whatever their code. */
async function connectionsEnded(): Promise<number> {
  const metrics = await (await scenario.shard.request("GET", "/metrics")).text();
  const counts = metrics.matchAll(/^prosaas_whatsapp_connections_ended_total\S* (\d+)$/gm);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

describe.each([
  ["http", startHttpProxy],
  ["https", () => startHttpsProxy(trustedCertificate())],
  ["socks5", startSocksProxy],
] as const)("a business with an egress proxy (%s)", (_, start) => {
  test("reaches WhatsApp through it only", async () => {
    proxy = await start();
    await throughProxy();
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    expect((await shard.send(business, [text(contact, "by proxy")]))[0]?.status).toBe("sent");
    const view = await shard.view(business);
    expect(view.egress).toMatchObject({ healthy: true, error: null });
    expect(JSON.stringify(view)).not.toContain("anna");

    const other = uuidv7();
    await shard.pair(simulator, other, newPhone());
    expect((await shard.view(other)).egress ?? null).toBeNull();

    // A dead proxy closes its own sessions, says so, and stops no other.
    await proxy.stop();
    await until(async () => (await shard.view(business)).reason?.includes("egress proxy"), { what: "the reason" });
    expect(await shard.view(business)).toMatchObject({ status: "connecting", paired: true });
    expect((await shard.send(other, [text(contact, "direct")]))[0]?.status).toBe("sent");
    const [ended, opened] = [await connectionsEnded(), simulator.simulation.stats.connections_opened];
    await until(async () => (await connectionsEnded()) > ended, { what: "another attempt" });
    expect(simulator.simulation.stats.connections_opened).toBe(opened);
  });
});
