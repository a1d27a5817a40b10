import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { root } from "./environment.ts";
import type { Job } from "./nomad.ts";
import { rollsForSecrets, versionOf } from "./secret_version.ts";

const path = "nomad/jobs/x";
const template = `{{ with nomadVar "${path}" }}A={{ .password }}{{ with index . "optional" }}B={{ . }}{{ end }}{{ end }}`;
const numbered = `{{ with nomadVar "${path}" }}A={{ index . (printf "shard_token_%d" $shard) }}{{ end }}`;
const job = (EmbeddedTmpl: string, ChangeMode = "noop"): Job => ({
  ID: "x",
  Type: "service",
  TaskGroups: [{ Name: "x", Count: 1, Tasks: [{ Name: "x", Templates: [{ EmbeddedTmpl, ChangeMode }] }] }],
});
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

  test("takes every item where a template loops over them", () => {
    const loop = `{{ range $key, $value := nomadVar "${path}" }}{{ end }}`;
    expect(version({ a: "1" }, loop)).not.toBe(version({ a: "1", b: "1" }, loop));
  });

  test("stays when a shard is added and changes with their root", () => {
    const two = version({ shard_token_1: "a1", shard_token_2: "a2" }, numbered);
    expect(version({ shard_token_1: "a1", shard_token_2: "a2", shard_token_3: "a3" }, numbered)).toBe(two);
    expect(version({ shard_token_1: "b1", shard_token_2: "b2" }, numbered)).not.toBe(two);
  });

  test("cannot be recomputed without the key", () => {
    expect(version({ password: "a" }, template, "other")).not.toBe(before);
  });
});

test("a job that reloads its secrets on a signal is not rolled", () => {
  expect(rollsForSecrets(job(template))).toBeTrue();
  expect(rollsForSecrets(job(template, "signal"))).toBeFalse();
});

test("no changed secret restarts the tasks of a job", async () => {
  const restarting: string[] = [];
  for (const file of new Bun.Glob("nomad/*/*.nomad.hcl").scanSync({ cwd: root })) {
    const text = await Bun.file(join(root, file)).text();
    for (const [, , body] of text.matchAll(/^( *)template \{\n(.*?)^\1\}/gms)) {
      if (body!.includes("nomadVar") && !/change_mode += "(noop|signal)"/.test(body!)) restarting.push(file);
    }
  }
  expect(restarting).toEqual([]);
});
