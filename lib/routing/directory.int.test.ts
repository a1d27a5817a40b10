import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createConsul, kvPut } from "../consul/client.ts";
import type { ConsulClient } from "../consul/client.ts";
import { holdLock } from "../consul/lock.ts";
import { startConsulServer } from "../testing/consul_server.ts";
import type { ConsulServer } from "../testing/consul_server.ts";
import { until } from "../testing/until.ts";
import { ownerKey, shardService } from "./directory.ts";
import { createRouter, numShardsKey, ShardUnavailable } from "./router.ts";

/** Of its own: shards that other files leave behind would be in the directory. */
let server: ConsulServer;
let consul: ConsulClient;
const stop = new AbortController();
beforeAll(async () => {
  server = await startConsulServer();
  consul = createConsul({ addr: server.addr });
});
afterAll(async () => {
  stop.abort();
  await server.stop();
});

const register = (id: string, shard: number, port: number) =>
  consul.api.agent.service.register({
    id,
    name: shardService,
    address: "127.0.0.1",
    port,
    meta: { shard: `${shard}` },
  });
const deregister = (id: string) => consul.api.agent.service.deregister(id);

describe("a router over Consul", () => {
  test("follows the shards and their number", async () => {
    const errors: unknown[] = [];
    const router = createRouter({ consul, numShards: 1, signal: stop.signal, onError: (error) => errors.push(error) });
    await router.ready;
    expect(() => router.shard(41)).toThrow(ShardUnavailable);

    await register("a", 41, 1001);
    await until(() => router.shards().length === 1, { what: "the shard" });
    expect(router.shard(41).url).toBe("http://127.0.0.1:1001");
    await kvPut(consul, numShardsKey, "50");
    await until(() => router.numShards === 50, { what: "the number" });

    // A second instance claims the number. The holder of the owner lock is the shard.
    await register("b", 41, 1002);
    await until(async () => ((await consul.api.catalog.service.nodes(shardService)) as unknown[]).length === 2);
    expect(router.shard(41).url).toBe("http://127.0.0.1:1001");
    const owner = await holdLock({
      consul,
      key: ownerKey(41),
      value: JSON.stringify({ address: "127.0.0.1", port: 1002 }),
      onLost: () => {},
    });
    await until(() => router.shard(41).url === "http://127.0.0.1:1002", { what: "the owner's address" });
    await owner.release();

    await deregister("a");
    await deregister("b");
    await until(() => router.shards().length === 0, { what: "the shards to leave" });

    // A lost key keeps the last known number, and is reported.
    await consul.api.kv.del(numShardsKey);
    await until(() => errors.some((error) => String(error).includes("is gone from Consul")), { what: "the report" });
    expect(router.numShards).toBe(50);
  });

  test("keeps an unchecked shard, drops a failing one", async () => {
    const router = createRouter({ consul, numShards: 1, signal: stop.signal });
    const status = (value: "passing" | "critical", output: string) =>
      fetch(`${consul.url}/v1/agent/check/update/service:d`, {
        method: "PUT",
        body: JSON.stringify({ Status: value, Output: output }),
      });
    await consul.api.agent.service.register({
      id: "d",
      name: shardService,
      address: "127.0.0.1",
      port: 1006,
      meta: { shard: "43" },
      check: { ttl: "1h" },
    } as never);
    const seen = () => router.shards().some(({ shard }) => shard === 43);
    await router.ready;
    // The instance is new and its check has never run.
    await until(async () =>
      ((await consul.api.catalog.service.nodes(shardService)) as { ServiceID: string }[]).some(
        ({ ServiceID }) => ServiceID === "d",
      ),
    );
    expect(seen()).toBeFalse();
    await status("passing", "ok");
    await until(seen, { what: "the shard" });
    const answeredAt = () => performance.now() - router.directoryAgeMs();
    // The state of a check after a restart of the agent.
    const before = performance.now();
    await status("critical", "");
    await until(() => answeredAt() > before, { what: "the next answer" });
    expect(seen()).toBeTrue();
    await status("passing", "ok");
    await status("critical", "connection refused");
    await until(() => !seen(), { what: "the shard to be gone" });
    await deregister("d");
  });

  test("keeps addresses during an outage while their age grows", async () => {
    await register("c", 42, 1003);
    const registered = async () => (await consul.api.catalog.service.nodes(shardService)) as { ServiceID: string }[];
    await until(async () => (await registered()).some(({ ServiceID }) => ServiceID === "c"), { what: "the shard" });
    // A proxy in front of the agent that can be cut.
    let cut = false;
    const proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: async (request) => {
        if (cut) return new Response("unavailable", { status: 500 });
        const url = new URL(request.url);
        const answer = await fetch(`${consul.url}${url.pathname}${url.search}`, { signal: request.signal });
        return new Response(await answer.text(), {
          status: answer.status,
          headers: { "x-consul-index": answer.headers.get("x-consul-index") ?? "" },
        });
      },
    });
    const ended = new AbortController();
    let errors = 0;
    const router = createRouter({
      consul: createConsul({ addr: `127.0.0.1:${proxy.port}` }),
      numShards: 1,
      signal: ended.signal,
      onError: () => (errors += 1),
    });
    await router.ready;
    expect(router.shard(42).url).toBe("http://127.0.0.1:1003");
    cut = true;
    // Completes the pending query, so that the next one fails.
    await register("c", 42, 1004);
    await until(() => errors > 0, { what: "the outage to be noticed" });
    const age = router.directoryAgeMs();
    await register("c", 42, 1005);
    await until(() => router.directoryAgeMs() > age);
    expect(router.shard(42).url).toMatch(/:100[34]$/);
    cut = false;
    await until(() => router.shard(42).url.endsWith(":1005"), { what: "the address after the outage" });
    ended.abort();
    await proxy.stop(true);
    await deregister("c");
  });
});
