import { describe, expect, test } from "bun:test";
import { completeSecrets, jobItems } from "./secrets.ts";
import { ensureShardSecrets, maxShards, planShardSecrets, shardItems } from "./shard_secrets.ts";
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

  test("have a token for each value of the root", () => {
    const { secrets } = completeSecrets({});
    const next = completeSecrets({}).secrets;
    const both = shardItems({ ...secrets, shard_token: `${next.shard_token},${secrets.shard_token}` }, 1);
    const each = [secrets, next].map((roots) => shardItems(roots, 1)["SHARD_TOKEN_1"]!);
    expect(both["SHARD_TOKEN_1"]!.split(",").toSorted()).toEqual(each.toSorted());
  });

  test("of new shards are added beside what is there", async () => {
    const { secrets } = completeSecrets({});
    const contents: Record<string, Record<string, string>> = {
      "prosaas/secrets": secrets,
      "nomad/jobs/wa-shards": { WA_NOISE_ROOT: "r" },
    };
    expect(await ensureShardSecrets(variables(contents), 3)).toBeTrue();
    expect(contents["nomad/jobs/wa-shards"]).toEqual({ WA_NOISE_ROOT: "r", ...shardItems(secrets, 3) });
    expect(await ensureShardSecrets(variables(contents), 2)).toBeFalse();
    expect(contents["nomad/jobs/wa-shards"]).toEqual({ WA_NOISE_ROOT: "r", ...shardItems(secrets, 3) });
  });

  test("are planned by name before they are written", async () => {
    const { secrets } = completeSecrets({});
    const contents: Record<string, Record<string, string>> = {
      "prosaas/secrets": secrets,
      "nomad/jobs/wa-shards": { SHARD_TOKEN_1: "another" },
    };
    const { added, changed } = await planShardSecrets(variables(contents), 1);
    expect({ added, changed }).toEqual({ added: ["AUTH_KEYS_1"], changed: ["SHARD_TOKEN_1"] });
    expect(contents["nomad/jobs/wa-shards"]).toEqual({ SHARD_TOKEN_1: "another" });
  });

  test("include the formerly shared ring while it is kept", async () => {
    const { secrets } = completeSecrets({});
    const former = `k1:${Buffer.alloc(32).toString("base64")}`;
    const contents: Record<string, Record<string, string>> = { "prosaas/secrets": { ...secrets, auth_keys: former } };
    await ensureShardSecrets(variables(contents), 1);
    expect(contents["nomad/jobs/wa-shards"]!["FORMER_AUTH_KEYS"]).toBe(former);
    contents["prosaas/secrets"] = secrets;
    await ensureShardSecrets(variables(contents), 1);
    expect(contents["nomad/jobs/wa-shards"]).toEqual(shardItems(secrets, 1));
  });

  test("fit a Nomad variable for the most shards", () => {
    const { secrets } = completeSecrets({});
    const rotating = {
      shard_token: `${secrets.shard_token},${secrets.calls_token}`,
      shard_keys: `${secrets.shard_keys},s2:${secrets.shard_keys.slice(3)}`,
    };
    const items = shardItems(rotating, maxShards);
    const bytes = Object.entries(items).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    expect(bytes).toBeLessThan(64 * 1024);
  });

  test("name the root that is missing", async () => {
    await expect(ensureShardSecrets(variables({}), 1)).rejects.toThrow("prosaas/secrets has no item shard_token");
  });

  test("the shards' variable holds no root", () => {
    const { secrets } = completeSecrets({});
    const given = { wa_noise_root: "root", tls_authority: "ca", tls_certificate: "cert", tls_key: "key" };
    const at = { postgres: "pg:1", replica: "pg:2", pooler: "pool:3", redis: "redis:4" };
    const items = jobItems("wa-shards", { ...secrets, ...given }, at, {});
    expect(items).toEqual({
      DATABASE_URL_POOLER: `postgres://prosaas_shards:${secrets.postgres_shards_password}@pool:3/prosaas`,
      REDIS_URL: `redis://shards:${secrets.redis_shards_password}@redis:4/0`,
      WA_NOISE_ROOT: "root",
    });
  });
});
