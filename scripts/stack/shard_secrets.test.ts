import { describe, expect, test } from "bun:test";
import { completeSecrets, jobItems } from "./secrets.ts";
import { ensureShardSecrets, shardItems } from "./shard_secrets.ts";
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
    const contents: Record<string, Record<string, string>> = { "prosaas/secrets": secrets, "nomad/jobs/wa-shards": { wa_noise_root: "r" } };
    expect(await ensureShardSecrets(variables(contents), 3)).toBeTrue();
    expect(contents["nomad/jobs/wa-shards"]).toEqual({ wa_noise_root: "r", ...shardItems(secrets, 3) });
    expect(await ensureShardSecrets(variables(contents), 2)).toBeFalse();
    expect(contents["nomad/jobs/wa-shards"]).toEqual({ wa_noise_root: "r", ...shardItems(secrets, 3) });
  });

  test("name the root that is missing", async () => {
    await expect(ensureShardSecrets(variables({}), 1)).rejects.toThrow("prosaas/secrets has no item shard_token");
  });

  test("the shards' variable holds no root", () => {
    const { secrets } = completeSecrets({});
    const given = { wa_noise_root: "root", tls_authority: "ca", tls_certificate: "cert", tls_key: "key" };
    expect(Object.keys(jobItems("wa-shards", { ...secrets, ...given }, {}))).not.toContain("shard_token");
  });
});
