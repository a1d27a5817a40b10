import { describe, expect, test } from "bun:test";
import type { Job } from "../nomad.ts";
import { checkJob, checkShared, describeFaults } from "./check.ts";

const job = (ID: string, env: Record<string, string> = {}, templates: string[] = []): Job => ({
  ID,
  Type: "service",
  TaskGroups: [
    {
      Name: ID,
      Count: 1,
      Tasks: [
        { Name: ID, Env: env, Templates: templates.map((EmbeddedTmpl) => ({ EmbeddedTmpl, ChangeMode: "noop" })) },
      ],
    },
  ],
});
const named = (faults: { path: string; item: string }[]) => faults.map(({ path, item }) => `${path} ${item}`);

describe("checkShared", () => {
  test("names settings that no service knows", () => {
    const faults = checkShared({ LOG_LEVEL: "info", LOG_LEVL: "info", log_level: "info" }, []);
    expect(named(faults)).toEqual(["nomad/jobs LOG_LEVL", "nomad/jobs log_level"]);
  });

  test("names values that a service refuses, without the value", () => {
    const faults = checkShared({ LOG_LEVEL: "loud", PUBLIC_URL: "ftp://example.com" }, []);
    expect(named(faults)).toEqual(["nomad/jobs LOG_LEVEL", "nomad/jobs PUBLIC_URL"]);
    expect(describeFaults(faults)).not.toContain("ftp://example.com");
  });

  test("names settings that a job file sets", () => {
    expect(checkShared({ STOP_GRACE_MS: "1" }, [job("calls", { STOP_GRACE_MS: "570000" })])[0]?.message).toContain(
      "job file of calls",
    );
  });

  test("accepts addresses of single shards", () => {
    expect(checkShared({ BAILEYS_SHARD_12_URL: "http://10.0.0.1:1" }, [])).toEqual([]);
  });
});

describe("checkJob", () => {
  const complete = { DATABASE_URL: "postgres://a:b@c:1/d" };

  test("names misspelt, missing and refused settings at once", () => {
    const items = { DATABASE_URI: "postgres://a:b@c:1/d", NOMAD_META_drop: "" };
    expect(named(checkJob(job("indexer"), { LOG_LEVEL: "info" }, items))).toEqual([
      "nomad/jobs/indexer DATABASE_URI",
      "nomad/jobs/indexer DATABASE_URL",
    ]);
    expect(named(checkJob(job("indexer"), {}, { DATABASE_URL: "mysql://a" }))).toEqual([
      "nomad/jobs/indexer DATABASE_URL",
    ]);
  });

  test("accepts what the service and its templates read", () => {
    expect(checkJob(job("indexer"), {}, complete)).toEqual([]);
    const templates = ['{{ with nomadVar "nomad/jobs/indexer" }}{{ .certificate }}{{ index . "key" }}{{ end }}'];
    expect(checkJob(job("indexer", {}, templates), {}, { ...complete, certificate: "c", key: "k" })).toEqual([]);
  });

  test("names items that no template reads", () => {
    expect(named(checkJob(job("postgres"), {}, { owner_pasword: "x" }))).toEqual(["nomad/jobs/postgres owner_pasword"]);
  });

  test("accepts items of single shards", () => {
    const items = {
      AUTH_KEYS_1: `a:${Buffer.alloc(32).toString("base64")}`,
      SHARD_TOKEN_1: "0123456789abcdef",
      REDIS_URL: "redis://r:1",
    };
    expect(checkJob(job("wa-shards", { SHARD_INDEX: "${NOMAD_ALLOC_INDEX}" }), {}, items)).toEqual([]);
  });
});
