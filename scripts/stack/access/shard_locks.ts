import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { HttpFailure } from "../../cli/operator/http.ts";
import type { Caller } from "../../cli/operator/http.ts";
import { root } from "../environment.ts";
import { readVariable, writeVariable } from "../secrets.ts";
import type { Nomad } from "../nomad.ts";
import { ensurePolicy, ensureToken } from "./consul.ts";

/*
 * A shard may take its own lock in Consul and no other's. The identity that Nomad signs names the job and not the index
 * of the allocation, so each shard has a token for its number: the one kind that is no exchanged identity. Like the
 * other secrets of shard n, CONSUL_HTTP_TOKEN_<n> reaches that shard alone (nomad/tasks/env.ctmpl). There it precedes
 * the identity's.
 */

/** The items of the shards' group: a variable of its own, because 300 shards fill the job's. */
export const shardLocksPath = "nomad/jobs/wa-shards/shard";

const policyOf = (shard: number) => `prosaas-shard-${shard}`;
const itemOf = (shard: number) => `CONSUL_HTTP_TOKEN_${shard}`;

export type ShardLocks = {
  nomad: Nomad;
  /** With a token that may write policies. */
  consul: Caller;
};

/**
 * Gives shards 1 to `count` the right to their lock. Tokens of further shards stay. With a token that may write
 * policies, what Consul has lost is made again; another token suffices while no shard is new.
 * @throws AppError if a shard is new and the token may not write policies.
 */
export async function ensureShardLocks({ nomad, consul }: ShardLocks, count: number): Promise<void> {
  const rules = await Bun.file(join(root, "consul/policies/shards/shard.hcl")).text();
  const variable = await readVariable(nomad, shardLocksPath);
  const items = { ...variable.Items };
  for (let shard = 1; shard <= count; shard++) {
    const isNew = items[itemOf(shard)] === undefined;
    const secret = (items[itemOf(shard)] ??= randomUUID());
    const name = policyOf(shard);
    try {
      await ensurePolicy(consul, name, rules.replaceAll("${shard}", String(shard)));
      await ensureToken(consul, secret, { Description: `shard ${shard}`, Policies: [{ Name: name }] });
    } catch (error) {
      if (!(error instanceof HttpFailure && error.status === 403)) throw error;
      if (isNew) throw new AppError("forbidden", refusal(shard), { cause: error });
    }
  }
  await writeVariable(nomad, shardLocksPath, items, variable);
}

const refusal = (shard: number) =>
  `Consul lets this token write no policy, which the lock of the new shard ${shard} needs: ` +
  "set CONSUL_HTTP_TOKEN to a management token.";
