import { describe, expect, test } from "bun:test";
import { completeSecrets, jobItems } from "./secrets.ts";

const given = { wa_noise_root: "root", tls_authority: "ca", tls_certificate: "cert", tls_key: "key" };

describe("completeSecrets", () => {
  test("makes every secret once and keeps it from then on", () => {
    const first = completeSecrets({});
    expect(first.added).toHaveLength(Object.keys(first.secrets).length);
    const second = completeSecrets(first.secrets);
    expect(second).toEqual({ secrets: first.secrets, added: [] });
  });

  test("makes only the one that is missing", () => {
    const { secrets } = completeSecrets({});
    const { shard_token: _, ...rest } = secrets;
    const again = completeSecrets(rest);
    expect(again.added).toEqual(["shard_token"]);
    expect(again.secrets).toMatchObject(rest);
  });

  test("the forms are those that services parse", () => {
    const { secrets } = completeSecrets({});
    expect(secrets.admin_key).toMatch(/^psk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/);
    expect(secrets.shard_keys).toMatch(/^s1:[A-Za-z0-9+/]{43}=$/);
    expect(secrets.twilio_account_sid).toMatch(/^AC[0-9a-f]{32}$/);
    expect(secrets.simulator_seed).toMatch(/^[0-9a-f]{64}$/);
  });

  test("passwords need no escaping in a URL", () => {
    const { secrets } = completeSecrets({});
    for (const name of ["postgres_owner_password", "postgres_app_password", "redis_shards_password"] as const) {
      expect(encodeURIComponent(secrets[name])).toBe(secrets[name]);
    }
  });
});

describe("jobItems", () => {
  test("a job gets its own secrets and no other", () => {
    const { secrets } = completeSecrets({});
    const all = { ...secrets, ...given };
    expect(Object.keys(jobItems("api", all, {})).toSorted()).toEqual([
      "app_password",
      "calls_token",
      "data_keys",
      "redis_api_password",
      "shard_token",
    ]);
    expect(Object.values(jobItems("nginx", all, {}))).toEqual(["cert", "key"]);
  });

  test("what an operator put beside them stays", () => {
    const { secrets } = completeSecrets({});
    expect(jobItems("api", { ...secrets, ...given }, { metrics_token: "m" })).toMatchObject({ metrics_token: "m" });
  });
});
