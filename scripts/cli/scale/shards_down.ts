import { sleep } from "../../../lib/core/time.ts";
import { numShardsKey } from "../../../lib/routing/index.ts";
import { seconds } from "../../stack/progress.ts";
import { deleteVolume, indexOfShardVolume, listVolumes } from "../../stack/volumes.ts";
import type { Volume } from "../../stack/volumes.ts";
import { ScaleFailure } from "./failure.ts";
import { awaitCount, indexOf, readCount, setCount, wantedAllocations } from "./job_group.ts";
import type { Deadlines } from "./job_group.ts";
import { readLimit, writeLimit } from "./live_limit.ts";
import { emptyShards } from "./moves.ts";
import type { Report } from "./report.ts";
import { passingShards, readAssignments, shardGroup } from "./shards_now.ts";
import type { WantedShards } from "./shards_plan.ts";
import type { Target } from "./target.ts";

const pollMs = 300;

/** Every process that watches the number of shards has seen the lower one long before this time. */
const heardOfMs = 1_000;

/** Drains the shards above `count`, lowers the number of shards in Consul and stops the highest shards. */
export async function removeShards(
  target: Target,
  { count, maxSessions }: Pick<WantedShards, "count" | "maxSessions">,
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  const before = await readCount(target, shardGroup);
  const drain = () => emptyShards(target, { isLeft: (shard) => shard > count, maxSessions }, report, deadlines);
  await drain();
  const { value, cas } = await readLimit(target, numShardsKey);
  if (value !== count) {
    await report.step(`the number of shards is ${count}: no new business is assigned above`, () =>
      writeLimit(target, numShardsKey, count, cas),
    );
    // A business that first connected at the end of the drain may be assigned to a removed shard.
    await sleep(heardOfMs);
    await drain();
  }
  if (before > count) {
    await report.step("the journals of the removed shards are empty", () =>
      awaitJournals(target, removed(count, before), report, deadlines),
    );
    await report.step(`asked for ${count} shards`, () => setCount(target, shardGroup, count, report, deadlines));
    await report.step(`${count} shards run and no other one is left`, () =>
      awaitCount(target, shardGroup, count, report, { until: "settled", ...deadlines }),
    );
  }
  await report.step("verified: the highest shards stopped", () => verifyIndices(target, count));
  await report.step("verified: no business is assigned to them", () => verifyEmpty(target, count));
}

/**
 * A process that had not heard of the lower number in time may have put a business there that connected for the first
 * time.
 */
export async function verifyEmpty(target: Target, count: number): Promise<void> {
  const living = (await readAssignments(target)).data.filter(
    ({ shard, businesses, moving }) => shard > count && businesses + moving > 0,
  );
  if (living.length === 0) return;
  const where = living.map(({ shard, businesses }) => `${businesses} on shard ${shard}`).join(", ");
  throw new ScaleFailure(
    `Businesses live on shards that are gone (${where}); their volumes are kept. ` +
      "Scale back up, then down again with --drain.",
  );
}

/** The shards above `count`, of `before`. */
const removed = (count: number, before: number) =>
  Array.from({ length: before - count }, (_, index) => count + 1 + index);

/** Waits until the journals of these shards are empty: a journal holds inbound data that Postgres does not have yet. */
export async function awaitJournals(
  target: Target,
  shards: readonly number[],
  report: Report,
  { deadlineMs }: Deadlines,
): Promise<void> {
  const began = performance.now();
  for (;;) {
    const { data } = await readAssignments(target);
    const full = journalsOf(data, shards).filter(({ journal }) => journal !== 0);
    if (full.length === 0) return;
    const elapsed = performance.now() - began;
    const what = full
      .map(({ shard, journal }) => `shard ${shard}: ${journal === null ? "does not answer" : `${journal} entries`}`)
      .join(", ");
    if (elapsed > deadlineMs) {
      throw new ScaleFailure(
        `The journals of these shards still hold data that Postgres lacks (${what}). Do the workers run?`,
      );
    }
    report.waiting(`${seconds(elapsed)}  journals: ${what}`);
    await sleep(pollMs);
  }
}

/** Entries in the journal of each shard; null for a journal that the API does not know. */
export function journalsOf(
  known: readonly { shard: number; journal: number | null }[],
  shards: readonly number[],
): { shard: number; journal: number | null }[] {
  return shards.map((shard) => ({ shard, journal: known.find((one) => one.shard === shard)?.journal ?? null }));
}

async function verifyIndices(target: Target, count: number): Promise<void> {
  const indices = (await wantedAllocations(target, shardGroup)).map(indexOf).toSorted((a, b) => a - b);
  const right = indices.length === count && indices.every((index, position) => index === position);
  if (!right) {
    const shards = indices.map((index) => index + 1).join(", ");
    throw new ScaleFailure(
      `Nomad stopped other shards than the highest ones: ${shards} run. Their volumes and logins are kept: ` +
        "scale up to the former number, and all of them return.",
    );
  }
  const passing = (await passingShards(target)).filter((shard) => shard > count);
  if (passing.length > 0) throw new ScaleFailure(`Consul still lists shard ${passing.join(", ")} as healthy.`);
}

/** The volumes of all shards above `count`, including shards removed earlier. */
export async function spareVolumes({ agents }: Target, count: number): Promise<Volume[]> {
  const all = await listVolumes(agents.nomadAddr);
  return all.filter(({ Name }) => (indexOfShardVolume(Name) ?? -1) >= count);
}

export async function deleteVolumes(target: Target, count: number, report: Report): Promise<void> {
  for (const volume of await spareVolumes(target, count)) {
    await report.step(`deleted ${volume.Name}`, () => deleteVolume(target.agents.nomadAddr, volume));
  }
}
