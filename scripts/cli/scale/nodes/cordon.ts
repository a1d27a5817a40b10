import { kvGet, kvPut } from "../../../../lib/consul/client.ts";
import { sleep } from "../../../../lib/core/time.ts";
import { cordonKey, parseCordon } from "../../../../lib/routing/index.ts";
import { ScaleFailure } from "../failure.ts";
import type { Target } from "../target.ts";
import { acrossElections } from "../../../stack/elections.ts";

/** Every API process that watches the cordon has seen it long before this time. */
const heardOfMs = 1_000;

export const readCordon = ({ consul }: Pick<Target, "consul">): Promise<readonly number[]> =>
  acrossElections(async () => {
    const entry = await kvGet(consul, cordonKey);
    return entry === null ? [] : (parseCordon(entry.value) ?? []);
  });

/** Adds shards to the cordon and returns once every process follows. */
export async function cordonShards(target: Target, shards: readonly number[]): Promise<void> {
  await change(target, (cordon) => [...new Set([...cordon, ...shards])]);
  await sleep(heardOfMs);
}

export const uncordonShards = (target: Pick<Target, "consul">, shards: readonly number[]): Promise<void> =>
  change(target, (cordon) => cordon.filter((shard) => !shards.includes(shard)));

function change({ consul }: Pick<Target, "consul">, next: (cordon: readonly number[]) => number[]): Promise<void> {
  return acrossElections(async () => {
    const entry = await kvGet(consul, cordonKey);
    const before = entry === null ? [] : (parseCordon(entry.value) ?? []);
    const value = JSON.stringify(next(before).toSorted((a, b) => a - b));
    if (entry?.value === value || (entry === null && value === "[]")) return;
    if (await kvPut(consul, cordonKey, value, { cas: entry?.modifyIndex ?? 0 })) return;
    throw new ScaleFailure(`${cordonKey} changed in the meantime; run the command again.`);
  });
}
