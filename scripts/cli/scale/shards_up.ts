import { sleep } from "../../../lib/core/time.ts";
import { numShardsKey } from "../../../lib/routing/index.ts";
import { ensureShardLocks } from "../../stack/access/shard_locks.ts";
import { callConsul } from "../../stack/consul.ts";
import { seconds } from "../../stack/progress.ts";
import { ensureShardSecrets } from "../../stack/shard_secrets.ts";
import { ensureVolumes, shardVolumes } from "../../stack/volumes.ts";
import type { VolumePlan } from "../../stack/volumes.ts";
import { ScaleFailure } from "./failure.ts";
import { awaitCount, readCount, setCount } from "./job_group.ts";
import type { Deadlines } from "./job_group.ts";
import { readLimit, writeLimit } from "./live_limit.ts";
import type { Report } from "./report.ts";
import { isOwned, passingShards, shardGroup } from "./shards_now.ts";
import type { Target } from "./target.ts";

const pollMs = 100;

/** Secrets, volume, count, health, owner lock, number of shards: each is there before the next one relies on it. */
export async function addShards(
  target: Target,
  { count, volumes }: { count: number; volumes: VolumePlan },
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  await report.step("secrets are there", async () => {
    await ensureShardLocks({ nomad: target.nomad, consul: callConsul(target.agents.consulAddr) }, count);
    return (await ensureShardSecrets(target.nomad, count)) ? "derived those that were missing" : undefined;
  });
  await report.step("volumes are there", async () => {
    await ensureVolumes(target.agents.nomadAddr, shardVolumes(count), volumes);
    const made = [...volumes].map(([volume, node]) => `${volume} on ${node.name}`);
    return made.length > 0 ? `made ${made.join(", ")}` : undefined;
  });
  if ((await readCount(target, shardGroup)) !== count) {
    await report.step(`asked for ${count} shards`, () => setCount(target, shardGroup, count, report, deadlines));
  }
  await report.step(`${count} shards run and pass their checks`, () =>
    awaitCount(target, shardGroup, count, report, { until: "serving", ...deadlines }),
  );
  await report.step("each holds its owner lock", () => awaitOwners(target, count, report, deadlines));
  const { value, cas } = await readLimit(target, numShardsKey);
  if (value !== count) {
    await report.step(`the number of shards is ${count}: new businesses go there from now on`, () =>
      writeLimit(target, numShardsKey, count, cas),
    );
  }
  await report.step("verified: the deployment is over and every shard is still there", async () => {
    await awaitCount(target, shardGroup, count, report, { until: "settled", ...deadlines });
    const passing = new Set(await passingShards(target));
    for (let shard = 1; shard <= count; shard++) {
      if (!passing.has(shard))
        throw new ScaleFailure(`Shard ${shard} does not pass its checks any more; see: task logs -- wa-shards`);
    }
  });
}

async function awaitOwners(target: Target, count: number, report: Report, { deadlineMs }: Deadlines): Promise<void> {
  const began = performance.now();
  for (let shard = 1; shard <= count; shard++) {
    while (!(await isOwned(target, shard))) {
      const elapsed = performance.now() - began;
      if (elapsed > deadlineMs)
        throw new ScaleFailure(`Shard ${shard} does not hold its owner lock after ${seconds(elapsed)}.`);
      report.waiting(`${seconds(elapsed)}  shard ${shard} has not taken its owner lock yet`);
      await sleep(pollMs);
    }
  }
}
