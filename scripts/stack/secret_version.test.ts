import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { root } from "./environment.ts";
import type { Job } from "./nomad.ts";
import { rollsForSecrets, versionOf } from "./secret_version.ts";

const path = "nomad/jobs/x";
const optional = '{{ with index . "optional" }}B={{ . }}{{ end }}';
const template = `{{ with nomadVar "${path}" }}A={{ .password }}${optional}{{ end }}`;
/** The template of every service's environment. */
const environment = await Bun.file(join(root, "nomad/tasks/env.ctmpl")).text();
const job = (EmbeddedTmpl: string, args: string[] = []): Job => {
  const Templates = [{ EmbeddedTmpl, ChangeMode: "noop", DestPath: "secrets/x" }];
  const Tasks = [{ Name: "x", Config: { args }, Templates }];
  return { ID: "x", Type: "service", TaskGroups: [{ Name: "x", Count: 1, Tasks }] };
};
const version = (items: Record<string, string>, text = template, key = "key") =>
  versionOf(job(text), new Map([[path, items]]), key);

describe("versionOf", () => {
  const before = version({ password: "a" });

  test("changes with each item that the templates read", () => {
    expect(version({ password: "b" })).not.toBe(before);
    expect(version({ password: "a", optional: "b" })).not.toBe(before);
    expect(version({ password: "a" })).toBe(before);
  });

  test("ignores items that no template reads", () => {
    expect(version({ password: "a", password_of_others: "b", shard_token_3: "c" })).toBe(before);
  });

  describe("of an environment", () => {
    const ofApi = (own: Record<string, string>, shared: Record<string, string> = {}) =>
      versionOf(
        { ...job(environment), ID: "api" },
        new Map([
          ["nomad/jobs", shared],
          ["nomad/jobs/api", own],
        ]),
        "key",
      );

    test("takes every setting of the service", () => {
      expect(ofApi({ METRICS_TOKEN: "a" })).not.toBe(ofApi({}));
      expect(ofApi({}, { LOG_LEVEL: "debug" })).not.toBe(ofApi({}));
    });

    test("ignores the settings of other services", () => {
      expect(ofApi({}, { CALL_AGENT_URL: "ws://a" })).toBe(ofApi({}));
      expect(ofApi({ metrics_token: "lower case" })).toBe(ofApi({}));
    });

    test("stays when a shard is added", () => {
      const ofShards = (items: Record<string, string>) =>
        versionOf({ ...job(environment), ID: "wa-shards" }, new Map([["nomad/jobs/wa-shards", items]]), "key");
      const two = ofShards({ SHARD_TOKEN_1: "a1", SHARD_TOKEN_2: "a2" });
      expect(ofShards({ SHARD_TOKEN_1: "a1", SHARD_TOKEN_2: "a2", SHARD_TOKEN_3: "a3" })).toBe(two);
      expect(ofShards({ SHARD_TOKEN_1: "b1", SHARD_TOKEN_2: "b2" })).not.toBe(two);
    });
  });

  test("cannot be recomputed without the key", () => {
    expect(version({ password: "a" }, template, "other")).not.toBe(before);
  });
});

test("leaves tasks alone that reload their files", () => {
  expect(rollsForSecrets(job(template))).toBeTrue();
  expect(rollsForSecrets(job(template, ["/local/reload.sh", "/secrets/x", "--", "x"]))).toBeFalse();
  expect(rollsForSecrets(job(template, ["/local/reload.sh", "/local/y", "--", "x", "/secrets/x"]))).toBeTrue();
});

test("no changed secret restarts the tasks of a job", async () => {
  const restarting: string[] = [];
  for (const file of new Bun.Glob("nomad/*/*.nomad.hcl").scanSync({ cwd: root })) {
    const text = await Bun.file(join(root, file)).text();
    for (const [, , body] of text.matchAll(/^( *)(?:template|content) \{\n(.*?)^\1\}/gms)) {
      if (/nomadVar|\bfile\(/.test(body!) && body!.includes("secrets/") && !/change_mode += "noop"/.test(body!))
        restarting.push(file);
    }
  }
  expect(restarting).toEqual([]);
});
