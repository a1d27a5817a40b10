import { expect } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import type { Stack } from "../../cli/operator/stack.ts";
import { createNomad } from "../../stack/nomad.ts";
import type { Allocation } from "../../stack/nomad.ts";
import type { Cluster } from "../cluster.ts";

type Address = { AllocatedResources: { Shared: { Ports: { Label: string; HostIP: string; Value: number }[] } } };
type Target = { labels: Record<string, string>; health: string; lastError: string };

/** Runs the job prometheus on the stack of the end-to-end test. It sees every service, the agents and the edge. */
export async function checkMonitoring(cluster: Cluster, stack: Stack): Promise<void> {
  const nomad = createNomad(stack.nomad_addr);
  const path = "nomad/jobs/prometheus";
  await nomad("PUT", `/v1/var/${path}`, { Path: path, Items: { metrics_token: crypto.randomUUID() } });
  const variables = ["-var=agents_scheme=http", "-var=host_network=loopback"];
  const file = "nomad/monitoring/prometheus.nomad.hcl";
  const { code, stdout, stderr } = await cluster.run(["nomad", "job", "run", ...variables, file]);
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);

  const [allocation] = await nomad<Allocation[]>("GET", "/v1/job/prometheus/allocations");
  const { AllocatedResources } = await nomad<Address>("GET", `/v1/allocation/${allocation!.ID}`);
  const { HostIP, Value } = AllocatedResources.Shared.Ports.find(({ Label }) => Label === "http")!;
  const get = async <T>(query: string): Promise<T> => {
    const response = await fetch(`http://${HostIP}:${Value}/api/v1/${query}`);
    return ((await response.json()) as { data: T }).data;
  };
  const jobs = ["nomad", "nomad-client", "prosaas-api", "prosaas-calls", "prosaas-edge", "prosaas-worker-high"];
  const up = async () => {
    const { activeTargets } = await get<{ activeTargets: Target[] }>("targets?state=active");
    const seen = activeTargets.map(({ labels, health, lastError }) => [labels["job"], health, lastError]);
    const down = seen.filter(([, health]) => health !== "up");
    const missing = jobs.filter((job) => !seen.some(([name]) => name === job));
    if (missing.length + down.length > 0) throw new Error(JSON.stringify({ missing, down }));
    return activeTargets
      .filter(({ labels }) => labels["job"] === "whatsapp-shard")
      .map(({ labels }) => labels["shard"]);
  };
  const shards = await until(up, { what: "every target to be up", everyMs: 500 });
  expect(shards.toSorted()).toEqual(["1", "2"]);
  for (const metric of ["nomad_client_host_disk_used_percent", "nomad_client_host_disk_inodes_percent"])
    await until(async () => (await get<{ result: unknown[] }>(`query?query=${metric}`)).result.length > 0, {
      what: metric,
    });
  // Later tests need the processors.
  await nomad("DELETE", "/v1/job/prometheus?purge=true");
}
