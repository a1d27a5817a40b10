import type { Resident } from "../db/index.ts";

export type PlannedMove = { business_id: string; from_shard: number; to_shard: number };

export type PlanOptions = {
  /** Shards that businesses may live on, by number. */
  shards: readonly number[];
  /** Shards that every business leaves; their load is not compared. */
  drain?: readonly number[];
  /** Most moves to plan. */
  max?: number;
};

/**
 * Plans moves of businesses between shards. Businesses on a draining or missing shard go to the shard with the fewest
 * sessions. Without any, sessions are moved until no shard has two more than another. An unpaired business costs a
 * shard nothing and moves only off a draining shard. Pure and deterministic: a business that is being moved counts at
 * its target, so that an interrupted plan continues.
 */
export function planMoves(
  residents: readonly Resident[],
  { shards, drain = [], max = Number.POSITIVE_INFINITY }: PlanOptions,
): PlannedMove[] {
  const targets = shards.filter((shard) => !drain.includes(shard)).toSorted((a, b) => a - b);
  if (targets.length === 0) return [];
  const logins = new Map(targets.map((shard) => [shard, 0]));
  for (const { shard, paired } of residents) if (paired && logins.has(shard)) logins.set(shard, logins.get(shard)! + 1);
  const least = () => targets.reduce((best, shard) => (logins.get(shard)! < logins.get(best)! ? shard : best));
  const most = () => targets.reduce((best, shard) => (logins.get(shard)! > logins.get(best)! ? shard : best));

  const homeless = residents.filter(
    ({ shard, moving }) => !moving && (drain.includes(shard) || (drain.length === 0 && !logins.has(shard))),
  );
  const planned: PlannedMove[] = [];
  for (const { business_id, shard, paired } of homeless) {
    if (planned.length >= max) return planned;
    const to = least();
    if (paired) logins.set(to, logins.get(to)! + 1);
    planned.push({ business_id, from_shard: shard, to_shard: to });
  }
  if (drain.length > 0) return planned;

  const movable = Map.groupBy(
    residents.filter(({ paired, moving }) => paired && !moving),
    ({ shard }) => shard,
  );
  while (planned.length < max) {
    const [from, to] = [most(), least()];
    const business = logins.get(from)! - logins.get(to)! > 1 ? movable.get(from)?.pop() : undefined;
    if (business === undefined) break;
    logins.set(from, logins.get(from)! - 1);
    logins.set(to, logins.get(to)! + 1);
    planned.push({ business_id: business.business_id, from_shard: from, to_shard: to });
  }
  return planned;
}
