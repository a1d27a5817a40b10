import { describe, expect, test } from "bun:test";
import { completeSecrets, jobItems } from "./secrets.ts";
import { ensureShardSecrets, maxShards, shardItems } from "./shard_secrets.ts";
import type { Nomad } from "./nomad.ts";

/** Nomad's variables, in memory. */
function variables(contents: Record<string, Record<string, string>>): Nomad {
  const nomad = async (method: string, path: string, body?: unknown) => {
    const name = /^\/v1\/var\/([^?]+)/.exec(path)![1]!;
    if (method === "PUT") contents[name] = (body as { Items: Record<string, string> }).Items;
    return { Items: contents[name] ?? {}, ModifyIndex: 1 };
  };
  return nomad as Nomad;
}

describe("secrets of a shard", () => {
  test("are different for each shard and never a root", () => {
    const { secrets } = completeSecrets({});
    const values = Object.values(shardItems(secrets, 20));
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) for (const root of Object.values(secrets)) expect(value).not.toContain(root);
  });

  test("stay the same for the same root", () => {
    const { secrets } = completeSecrets({});
    expect(shardItems(secrets, 3)).toEqual(shardItems({ ...secrets }, 3));
    expect(shardItems(completeSecrets({}).secrets, 3)).not.toEqual(shardItems(secrets, 3));
  });

  test("of new shards are added beside what is there", async () => {
    const { secrets } = completeSecrets({});
    const contents: Record<string, Record<string, string>> = {
      "prosaas/secrets": secrets,
      "nomad/jobs/wa-shards": { wa_noise_root: "r" },
    };
    expect(await ensureShardSecrets(variables(contents), 3)).toBeTrue();
    expect(contents["nomad/jobs/wa-shards"]).toEqual({ wa_noise_root: "r", ...shardItems(secrets, 3) });
    expect(await ensureShardSecrets(variables(contents), 2)).toBeFalse();
    expect(contents["nomad/jobs/wa-shards"]).toEqual({ wa_noise_root: "r", ...shardItems(secrets, 3) });
  });

  test("open what was sealed under the ring that all shards shared, as long as it is kept", async () => {
    const { secrets } = completeSecrets({});
    const former = `k1:${Buffer.alloc(32).toString("base64")}`;
    const contents: Record<string, Record<string, string>> = { "prosaas/secrets": { ...secrets, auth_keys: former } };
    await ensureShardSecrets(variables(contents), 1);
    expect(contents["nomad/jobs/wa-shards"]!["former_auth_keys"]).toBe(former);
    contents["prosaas/secrets"] = secrets;
    await ensureShardSecrets(variables(contents), 1);
    expect(contents["nomad/jobs/wa-shards"]).toEqual(shardItems(secrets, 1));
  });

  test("of the most shards fit a Nomad variable, with a second key", () => {
    const { secrets } = completeSecrets({});
    const items = shardItems(
      { ...secrets, shard_keys: `${secrets.shard_keys},s2:${secrets.shard_keys.slice(3)}` },
      maxShards,
    );
    const bytes = Object.entries(items).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    expect(bytes).toBeLessThan(64 * 1024);
  });

  test("name the root that is missing", async () => {
    await expect(ensureShardSecrets(variables({}), 1)).rejects.toThrow("prosaas/secrets has no item shard_token");
  });

  test("the shards' variable holds no root", () => {
    const { secrets } = completeSecrets({});
    const given = { wa_noise_root: "root", tls_authority: "ca", tls_certificate: "cert", tls_key: "key" };
    expect(Object.keys(jobItems("wa-shards", { ...secrets, ...given }, {}))).toEqual([
      "redis_shards_password",
      "wa_noise_root",
    ]);
  });
});
