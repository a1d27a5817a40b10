import { expect } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bodyOf } from "../../lib/api-client/index.ts";
import type { ApiClient } from "../../lib/api-client/index.ts";
import { until } from "../../lib/testing/until.ts";
import { adminApi } from "../cli/operator/admin_api.ts";
import { createCaller } from "../cli/operator/http.ts";
import type { Stack } from "../cli/operator/stack.ts";
import type { Cluster } from "./cluster.ts";

type Found = { ID: string };
export type FailoverContext = {
  cluster: Cluster;
  stack: Stack;
  api: ApiClient;
  running(job: string): Promise<Found[]>;
  allocation(job: string, index: number): Promise<Found>;
};

/** Stops an API allocation at 100 requests a second: nginx drops it within seconds, and no request fails. */
export async function checkApiFailover({ cluster, stack, api, running, allocation }: FailoverContext): Promise<void> {
  const before = await running("api");
  expect(before.length).toBeGreaterThanOrEqual(2);
  // A separate key, because this uses most of a key's requests a minute.
  const { key } = await bodyOf(api.POST("/v1/admin/keys", { body: { name: "100 a second" } }));
  const caller = await adminApi(stack, { key });
  const failures: string[] = [];
  let requests = 0;
  let stop = false;
  const pending = new Set<Promise<void>>();
  const one = async () => {
    requests += 1;
    try {
      await caller.GET("/v1/businesses", { params: { query: { limit: 1 } } });
    } catch (error) {
      failures.push(String(error));
    }
  };
  const timer = setInterval(() => {
    // A crowded machine falls behind: requests that pile up would time out in the queue.
    if (stop || pending.size >= 50) return;
    const request = one().finally(() => pending.delete(request));
    pending.add(request);
  }, 10);
  const configuration = async () => {
    const { ID } = await allocation("nginx", 0);
    const files = await Array.fromAsync(
      new Bun.Glob("**/nginx.conf").scan({ cwd: join(cluster.state, "nomad/client/alloc", ID), absolute: true }),
    );
    return (await Promise.all(files.map((file) => readFile(file, "utf8")))).join("\n");
  };
  const consul = createCaller({
    baseUrl: `http://${stack.consul_http_addr}`,
    token: process.env["CONSUL_HTTP_TOKEN"]!,
  });
  type Entry = { Service: { ID: string; Address: string; Port: number } };
  const entries = await consul<Entry[]>("GET", "/v1/health/service/prosaas-api?passing=1");
  const victim = before[0]!;
  const gone = entries.find(({ Service }) => Service.ID.includes(victim.ID))!.Service;
  const upstream = `server ${gone.Address}:${gone.Port}`;
  expect(await configuration()).toContain(upstream);
  await until(() => requests > 200);
  await cluster.run(["nomad", "alloc", "stop", "-detach", victim.ID]);
  const since = performance.now();
  await until(async () => !(await configuration()).includes(upstream), {
    what: "nginx to drop it",
  });
  const droppedMs = performance.now() - since;
  await until(async () => (await running("api")).length >= before.length, {
    deadlineMs: 60_000,
    what: "its replacement",
  });
  const enough = requests + 200;
  await until(() => requests > enough);
  stop = true;
  clearInterval(timer);
  await Promise.all(pending);
  expect(failures).toEqual([]);
  expect(droppedMs).toBeLessThan(10_000);
}
