import { AppError } from "../../lib/core/errors.ts";
import { shardKeys, shardToken } from "../../lib/contracts/shard/secrets.ts";
import { readVariable, writeVariable } from "./secrets.ts";
import { accepted, valuesOf } from "./secret_values.ts";
import type { Nomad } from "./nomad.ts";

/** A Nomad variable holds 64 KiB: as many shards' secrets fit, with a second key while keys are rotated. */
export const maxShards = 300;

/** The roots from which shard secrets are derived, by their names in `prosaas/secrets`. */
export type ShardRoots = {
  shard_token: string;
  /** A key ring; the ring of a shard has a derived key for each of its keys. */
  shard_keys: string;
  /**
   * The ring that all shards shared before each had its own. Shards open what is sealed under it and seal it again;
   * when none needs it any more (nomad/README.md), the item is removed.
   */
  auth_keys?: string | undefined;
};

/** The tokens that a shard accepts: one for each value of the root. */
export const tokensOfShard = (root: string, shard: number): string =>
  accepted(
    valuesOf(root)
      .map((value) => shardToken(value, shard))
      .join(","),
  );

/** The items of the variable `nomad/jobs/wa-shards` that belong to single shards, for shards 1 to `count`. */
export function shardItems(roots: ShardRoots, count: number): Record<string, string> {
  const items: Record<string, string> = {};
  for (let shard = 1; shard <= count; shard++) {
    items[`SHARD_TOKEN_${shard}`] = tokensOfShard(roots.shard_token, shard);
    items[`AUTH_KEYS_${shard}`] = shardKeys(roots.shard_keys, shard);
  }
  if (roots.auth_keys) items["FORMER_AUTH_KEYS"] = roots.auth_keys;
  return items;
}

export type ShardSecretsPlan = {
  /** Names of the items that are missing, and of those that have another value. */
  added: string[];
  changed: string[];
  /** Resolves with true if anything was written. */
  write(): Promise<boolean>;
};

/**
 * Derives the secrets of shards 1 to `count`, which must be there before the shards start. Secrets of further shards
 * stay: their volumes do, too.
 * @throws AppError where `prosaas/secrets` lacks a root.
 */
export async function planShardSecrets(nomad: Nomad, count: number): Promise<ShardSecretsPlan> {
  const { Items: secrets } = await readVariable(nomad, "prosaas/secrets");
  const roots = {
    shard_token: rootOf(secrets, "shard_token"),
    shard_keys: rootOf(secrets, "shard_keys"),
    auth_keys: secrets["auth_keys"],
  };
  const path = "nomad/jobs/wa-shards";
  const variable = await readVariable(nomad, path);
  const { FORMER_AUTH_KEYS: _, ...kept } = variable.Items;
  const items = shardItems(roots, count);
  const differing = Object.keys(items).filter((item) => variable.Items[item] !== items[item]);
  return {
    added: differing.filter((item) => variable.Items[item] === undefined),
    changed: differing.filter((item) => variable.Items[item] !== undefined),
    write: () => writeVariable(nomad, path, { ...kept, ...items }, variable),
  };
}

/** Writes the secrets of shards 1 to `count`. Resolves with true if anything changed. */
export const ensureShardSecrets = async (nomad: Nomad, count: number): Promise<boolean> =>
  (await planShardSecrets(nomad, count)).write();

function rootOf(secrets: Readonly<Record<string, string>>, name: "shard_token" | "shard_keys"): string {
  const root = secrets[name];
  if (root === undefined || root === "") {
    throw new AppError(
      "conflict",
      `The Nomad variable prosaas/secrets has no item ${name}, from which the shards' secrets are derived: add it.`,
    );
  }
  return root;
}
