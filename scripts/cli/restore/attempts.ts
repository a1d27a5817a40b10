import { z } from "zod";
import { kvPut } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";

/*
 * The last restore of each shard, in Consul. Written before the first change, so that an interrupted command knows its
 * own volume, and so that a watch that restarts keeps its bounds.
 * Kept after success: it counts in the watch's limit of an hour, and its owner proves other volumes out of date.
 */

const prefix = "prosaas/restores/";

const record = z.object({
  shard: z.int(),
  /** Name of the lost node; null if Nomad did not know it any more. */
  from: z.string().nullable(),
  /** The node of the new volume. */
  to: z.object({ id: z.string(), name: z.string() }),
  at: z.iso.datetime(),
  /** Id of the node on which a restore last saw the owner: `to` once this one has ended. */
  owner: z.string().nullable().default(null),
});
export type Attempt = z.infer<typeof record>;

type Entry = { Key: string; Value: string | null };

/** The last restore of each shard. An entry that cannot be read counts as none. */
export async function readAttempts(consul: ConsulClient): Promise<Map<number, Attempt>> {
  const { body } = await consul.blockingGet(`/v1/kv/${prefix}?recurse`, { index: 0 });
  const attempts = ((body ?? []) as Entry[]).flatMap(({ Value }) => {
    try {
      return [record.parse(JSON.parse(Buffer.from(Value ?? "", "base64").toString("utf8")))];
    } catch {
      return [];
    }
  });
  return new Map(attempts.map((attempt) => [attempt.shard, attempt]));
}

export async function recordAttempt(consul: ConsulClient, attempt: Attempt): Promise<void> {
  await kvPut(consul, `${prefix}${attempt.shard}`, JSON.stringify(attempt));
}

/** Records that a restore saw the owner on the node of its volume. */
export async function recordOwner(consul: ConsulClient, shard: number, owner: string): Promise<void> {
  const attempt = (await readAttempts(consul)).get(shard);
  if (attempt?.to.id === owner) await recordAttempt(consul, { ...attempt, owner });
}
