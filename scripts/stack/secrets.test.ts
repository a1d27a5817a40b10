import { describe, expect, test } from "bun:test";
import { HttpFailure } from "../cli/operator/http.ts";
import type { Nomad } from "./nomad.ts";
import { completeSecrets, isRetired, jobItems, writeVariable } from "./secrets.ts";

const at = { postgres: "pg:1", replica: "pg:2", pooler: "pool:3", redis: "redis:4" };
const given = { wa_noise_root: "root", tls_authority: "ca", tls_certificate: "cert", tls_key: "key" };

describe("completeSecrets", () => {
  test("generates every secret once and keeps it", () => {
    const first = completeSecrets({});
    expect(first.added).toHaveLength(Object.keys(first.secrets).length);
    const second = completeSecrets(first.secrets);
    expect(second).toEqual({ secrets: first.secrets, added: [] });
  });

  test("generates only what is missing", () => {
    const { secrets } = completeSecrets({});
    const { shard_token: _, ...rest } = secrets;
    const again = completeSecrets(rest);
    expect(again.added).toEqual(["shard_token"]);
    expect(again.secrets).toMatchObject(rest);
  });

  test("uses the forms that services parse", () => {
    const { secrets } = completeSecrets({});
    expect(secrets.admin_key).toMatch(/^psk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/);
    expect(secrets.shard_keys).toMatch(/^s1:[A-Za-z0-9+/]{43}=$/);
    expect(secrets.twilio_account_sid).toMatch(/^AC[0-9a-f]{32}$/);
    expect(secrets.simulator_seed).toMatch(/^[0-9a-f]{64}$/);
  });

  test("generates passwords that need no escaping in URLs", () => {
    const { secrets } = completeSecrets({});
    for (const name of ["postgres_owner_password", "postgres_app_password", "redis_shards_password"] as const) {
      expect(encodeURIComponent(secrets[name])).toBe(secrets[name]);
    }
  });
});

describe("jobItems", () => {
  const { secrets } = completeSecrets({});
  const all = { ...secrets, ...given };

  test("hold a job's own secrets and no other", () => {
    expect(Object.keys(jobItems("api", all, at, {})).toSorted()).toEqual([
      "CALLS_TOKEN",
      "DATABASE_URL_POOLER",
      "DATABASE_URL_READ",
      "DATA_KEYS",
      "REDIS_URL",
      "SHARD_TOKEN",
    ]);
    expect(Object.values(jobItems("nginx", all, at, {}))).toEqual(["cert", "key"]);
  });

  test("hold addresses with the job's own user", () => {
    expect(jobItems("calls", all, at, {})).toMatchObject({
      DATABASE_URL_POOLER: `postgres://prosaas_app:${secrets.postgres_app_password}@pool:3/prosaas`,
      REDIS_URL: `redis://calls:${secrets.redis_calls_password}@redis:4/0`,
    });
  });

  test("keep what an operator added", () => {
    expect(jobItems("api", all, at, { METRICS_TOKEN: "m" })).toMatchObject({ METRICS_TOKEN: "m" });
  });

  test("carry settings over from their former names", () => {
    const former = { metrics_token: "m", s3_region: "r", app_password: "p" };
    expect(jobItems("api", all, at, former)).toMatchObject({ METRICS_TOKEN: "m", S3_REGION: "r", ...former });
    expect(jobItems("api", all, at, { ...former, METRICS_TOKEN: "new" })).toMatchObject({ METRICS_TOKEN: "new" });
    const shared = jobItems("wa-shards", all, at, { shard_token: "s", auth_keys: "a" });
    expect(Object.keys(shared)).not.toContain("AUTH_KEYS");
  });
});

describe("isRetired", () => {
  test("names items that no template reads any more", () => {
    expect(["app_password", "metrics_token", "redis_api_password"].map((item) => isRetired("api", item))).toEqual([
      true,
      true,
      true,
    ]);
    expect(isRetired("wa-shards", "shard_token_12")).toBeTrue();
    expect(isRetired("redis", "password")).toBeTrue();
  });

  test("spares what templates and services read", () => {
    expect(isRetired("workers", "media_ca")).toBeFalse();
    expect(isRetired("workers", "METRICS_TOKEN")).toBeFalse();
    expect(isRetired("postgres", "app_password")).toBeFalse();
    expect(isRetired("redis", "shards_password")).toBeFalse();
    expect(isRetired("simulator", "media_key")).toBeFalse();
  });
});

test("writeVariable names no value where two writers meet", async () => {
  // Nomad's answer to a write over another version has the items.
  const nomad: Nomad = () => Promise.reject(new HttpFailure(409, '{"Items":{"data_keys":"k1:secret"}}'));
  const written = writeVariable(nomad, "prosaas/secrets", { data_keys: "k2:new" }, { Items: {}, ModifyIndex: 3 });
  await expect(written).rejects.toThrow("The variable prosaas/secrets was changed by another command: run this again.");
});
