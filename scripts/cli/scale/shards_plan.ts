/** The shards of a cluster at one moment. Indices are from 0, numbers from 1. */
export type ShardsNow = {
  /** Allocations that were asked for. */
  count: number;
  /** Indices of allocations that run and pass their checks. */
  running: readonly number[];
  /** Indices of allocations that should run. */
  wanted: readonly number[];
  /** Indices of which there is a volume. */
  volumes: readonly number[];
  /** Consul's number of shards; null until it is written for the first time. */
  numShards: number | null;
  /** Shards whose owner lock is held. */
  owned: readonly number[];
  /** Businesses by shard number. */
  businesses: ReadonlyMap<number, number>;
};

/** A shard's volume that is to be made. */
export type PlannedVolume = { shard: number; node: string };

export type WantedShards = {
  count: number;
  /** True if businesses of removed shards are moved, to shards with at most `maxSessions` sessions afterwards. */
  drain: boolean;
  maxSessions: number;
  deleteVolume: boolean;
};

export type ShardsPlan = { lines: string[]; refusal?: string };

const upTo = (count: number, from = 0) => Array.from({ length: Math.max(0, count - from) }, (_, k) => from + k);
const without = (all: readonly number[], some: readonly number[]) => all.filter((one) => !some.includes(one));
const list = (numbers: readonly number[]) => numbers.join(", ");

/**
 * Plans the way from `now` to the wanted count; omits what an interrupted run already did. `volumes`: those that the
 * shards up to that count lack.
 */
export function planShards(now: ShardsNow, wanted: WantedShards, volumes: readonly PlannedVolume[] = []): ShardsPlan {
  const { lines, refusal } =
    wanted.count < Math.max(now.count, now.numShards ?? 0) ? planFewer(now, wanted) : planMore(now, wanted, volumes);
  const spare = now.volumes.filter((index) => index >= wanted.count).toSorted((a, b) => a - b);
  const stranded = spare.filter(
    (index) => index >= Math.max(now.count, now.numShards ?? 0) && (now.businesses.get(index + 1) ?? 0) > 0,
  );
  if (wanted.deleteVolume && stranded.length > 0) {
    return {
      lines,
      refusal:
        `Businesses live on shard ${list(stranded.map((index) => index + 1))}, whose volume would be deleted: ` +
        "scale up to it, then down with --drain.",
    };
  }
  if (wanted.deleteVolume && spare.length > 0)
    lines.push(`delete the volumes of shard ${list(spare.map((index) => index + 1))}`);
  return refusal === undefined ? { lines } : { lines, refusal };
}

function planMore(now: ShardsNow, { count }: WantedShards, volumes: readonly PlannedVolume[]): ShardsPlan {
  const lines = volumes.map(({ shard, node }) => `make the volume for shard ${shard} on ${node}`);
  if (now.count !== count) lines.push(`set the count from ${now.count} to ${count}`);
  const missing = without(upTo(count), now.running);
  if (missing.length > 0) lines.push(`wait until shard ${list(missing.map((index) => index + 1))} passes its checks`);
  const unowned = without(
    upTo(count),
    now.owned.map((shard) => shard - 1),
  );
  if (unowned.length > 0)
    lines.push(`wait until shard ${list(unowned.map((index) => index + 1))} holds its owner lock`);
  if (now.numShards !== count)
    lines.push(`raise the number of shards in Consul from ${now.numShards ?? "the default"} to ${count}`);
  return { lines };
}

function planFewer(now: ShardsNow, { count, drain, deleteVolume }: WantedShards): ShardsPlan {
  const going = upTo(Math.max(now.count, now.numShards ?? 0), count).map((index) => index + 1);
  const living = [...now.businesses].filter(([shard, businesses]) => shard > count && businesses > 0);
  const lines: string[] = [];
  if (living.length > 0) {
    lines.push(`move ${living.map(([shard, businesses]) => `${businesses} businesses off shard ${shard}`).join(", ")}`);
  }
  if (now.numShards !== count)
    lines.push(`lower the number of shards in Consul from ${now.numShards ?? "the default"} to ${count}`);
  if (now.count !== count)
    lines.push(`set the count from ${now.count} to ${count} and see that shard ${list(going)} stops`);
  if (!deleteVolume) lines.push(`keep the volumes of shard ${list(going)}`);

  // Nomad stops a healthy allocation instead of the highest one, if the highest one has failed.
  const missing = without(upTo(now.count), now.running);
  if (now.count !== count && (missing.length > 0 || now.wanted.length !== now.count)) {
    return {
      lines,
      refusal:
        `Shard ${list(missing.map((index) => index + 1))} does not run: Nomad might stop another one instead. ` +
        "Wait until every shard is healthy (task status), then run the command again.",
    };
  }
  if (living.length > 0 && !drain) {
    const where = living.map(([shard, businesses]) => `${businesses} on shard ${shard}`).join(", ");
    return { lines, refusal: `Businesses live on shards to be removed (${where}): add --drain to move them first.` };
  }
  return { lines };
}
