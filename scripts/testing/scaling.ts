import { expect } from "bun:test";
import { kvGet } from "../../lib/consul/client.ts";
import { hashShard, numShardsKey } from "../../lib/routing/index.ts";
import { connect } from "../lab/chaos/scale/members.ts";
import { steps } from "../lab/chaos/scale/steps.ts";
import { faultsOf, scaleWhileTalking } from "../lab/chaos/scale/scenario.ts";
import { openStage } from "../lab/chaos/scale/stage.ts";
import type { Stage } from "../lab/chaos/scale/stage.ts";
import { resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

/** Checks of the scale commands on the stack of the end-to-end test, which has two shards before and after. */

/** Without progress lines. */
const stageOf = (cluster: Cluster): Promise<Stage> => openStage(cluster.state, cluster.env, () => {});

type Result = { ok: boolean; changes: { what: string; plan: string[] }[]; error?: string; steps: unknown[] };

async function scaleShards(cluster: Cluster, count: number, ...options: string[]): Promise<Result & { code: number }> {
  const output = await cluster.run(["./scripts/task", "scale:shards", `N=${count}`, "--", "--json", ...options]);
  return { code: output.code, ...(resultOf(output) as Result) };
}

/** The shard count of the job and the number of shards in Consul. */
async function sizeOf({ consul, nomad }: Stage): Promise<{ count: number | undefined; number: string | undefined }> {
  const job = await nomad<{ TaskGroups: { Count: number }[] }>("GET", "/v1/job/wa-shards");
  return { count: job.TaskGroups[0]?.Count, number: (await kvGet(consul, numShardsKey))?.value };
}

/** Connects a business whose id hashes to the second of two shards. */
async function settleOnTheSecond({ api }: Stage): Promise<string> {
  for (;;) {
    const { id } = await api<{ id: string }>("POST", "/v1/businesses", { name: "On the second shard" });
    if (hashShard(id, 2) === 2) {
      expect((await connect(api, id)).shard).toBe(2);
      return id;
    }
    await api("DELETE", `/v1/businesses/${id}`);
  }
}

export async function checkDryRunsAndRefusals(cluster: Cluster): Promise<void> {
  const stage = await stageOf(cluster);
  const resident = await settleOnTheSecond(stage);
  const before = await sizeOf(stage);
  const dry = await scaleShards(cluster, 3, "--dry-run");
  expect(dry).toMatchObject({ code: 0, ok: true, steps: [] });
  expect(dry.changes[0]?.plan).toContain("set the count from 2 to 3");
  const refused = await scaleShards(cluster, 1);
  expect(refused).toMatchObject({ code: 1, ok: false, error: expect.stringContaining("add --drain") });
  expect(await sizeOf(stage)).toEqual(before);
  await stage.api("DELETE", `/v1/businesses/${resident}`);
}

/** A short chaos:scale: one more shard, a killed rebalance, and back with a drain that is killed twice. */
export async function checkScalingUnderLoad(cluster: Cluster): Promise<void> {
  const plan = { businesses: 6, perMinute: 120, few: 2, many: 3, consulAwayS: 1 };
  const short = steps.filter(({ name }) => /one more shard|rebalance|fewer shards/.test(name));
  expect(short).toHaveLength(3);
  const result = await scaleWhileTalking(await stageOf(cluster), plan, short);
  expect(faultsOf(result)).toEqual({
    failed_requests: 0,
    lost: 0,
    duplicates: 0,
    reordered: 0,
    qr_scans: 0,
    unneeded_restarts: 0,
  });
  expect(result.moved).toBeGreaterThan(0);
  expect(result.scripts_killed).toBeGreaterThan(0);
}

/** Two concurrent scale commands: the second waits for the first, and both succeed. */
export async function checkConcurrentCommands(cluster: Cluster): Promise<void> {
  const run = (max: number) => cluster.run(["./scripts/task", "scale:calls", `MAX=${max}`, "--", "--json"]);
  const both = await Promise.all([run(61), run(62)]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
}
