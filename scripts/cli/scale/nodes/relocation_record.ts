import { z } from "zod";
import { kvPut } from "../../../../lib/consul/client.ts";
import { AppError, messageOf } from "../../../../lib/core/errors.ts";
import type { Target } from "../target.ts";
import type { Relocation } from "./cluster_now.ts";
import { acrossElections } from "../../../stack/elections.ts";

const folder = "prosaas/whatsapp/relocations/";

/** A shard is relocated again at most this often before it has run anywhere. */
const mostNodes = 100;

const recordSchema = z.object({
  nodes: z.array(z.string()).min(1).max(mostNodes),
  held: z.string().optional(),
  inexact: z.boolean().optional(),
});
const entriesSchema = z.array(z.object({ Key: z.string(), Value: z.string().nullable() }));

/** The relocations that have not ended, by shard. @throws if a record is damaged */
export async function readRelocations({ consul }: Pick<Target, "consul">): Promise<Map<number, Relocation>> {
  const { body } = await acrossElections(() => consul.blockingGet(`/v1/kv/${folder}?recurse=1`, { index: 0 }));
  const relocations = new Map<number, Relocation>();
  for (const { Key, Value } of body === null ? [] : entriesSchema.parse(body)) {
    const shard = /^\d+$/.exec(Key.slice(folder.length))?.[0];
    if (shard === undefined || Value === null) continue;
    relocations.set(Number(shard), recordSchema.parse(JSON.parse(Buffer.from(Value, "base64").toString("utf8"))));
  }
  return relocations;
}

export async function writeRelocation({ consul }: Pick<Target, "consul">, shard: number, record: Relocation) {
  const value = JSON.stringify(recordSchema.parse(record));
  await acrossElections(() => kvPut(consul, `${folder}${shard}`, value));
}

export async function deleteRelocation({ consul }: Pick<Target, "consul">, shard: number): Promise<void> {
  await acrossElections(() =>
    consul.api.kv.del(`${folder}${shard}`).catch((error: unknown) => {
      throw new AppError("unavailable", `Consul did not delete the record of shard ${shard}: ${messageOf(error)}`);
    }),
  );
}
