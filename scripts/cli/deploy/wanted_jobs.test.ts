import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpFailure } from "../operator/http.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { parseJobs, readReleaseFile, readWantedJobs, releasesFor } from "./wanted_jobs.ts";

const address = (part: string, hash: string) =>
  `https://r.example/prosaas-${part}-${hash}.tar.gz?checksum=sha256:${hash}`;

/** A Nomad that runs api on release 0a, and nothing else. */
const nomad = (async (_method: string, path: string) => {
  if (!path.endsWith("/api")) throw new HttpFailure(404, "job not found");
  const tasks = [{ Name: "api", Artifacts: [{ GetterSource: address("api", "0a") }] }];
  return { ID: "api", Type: "service", TaskGroups: [{ Name: "api", Count: 2, Tasks: tasks }] };
}) as Nomad;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-deploy-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("JOB names jobs once, separated by commas", () => {
  expect(parseJobs("api, calls,,api")).toEqual(["api", "calls"]);
  expect(parseJobs("")).toEqual([]);
});

describe("the file of a release", () => {
  test("is what task release prints, with other variables", async () => {
    const path = join(folder, "release.env");
    await Bun.write(path, `# of today\nNOMAD_VAR_api_release='${address("api", "1b")}'\nNOMAD_VAR_count='3'\n`);
    expect(await readReleaseFile(path)).toEqual({
      NOMAD_VAR_api_release: address("api", "1b"),
      NOMAD_VAR_count: "3",
    });
  });

  test("names a release", async () => {
    const path = join(folder, "empty.env");
    await Bun.write(path, "NOMAD_VAR_count='3'\n");
    await expect(readReleaseFile(path)).rejects.toThrow("names no release");
    await expect(readReleaseFile(join(folder, "missing.env"))).rejects.toThrow("cannot be read");
  });
});

describe("the release of a job", () => {
  test("is the one that runs unless another is given", async () => {
    expect(await releasesFor(nomad, ["api", "postgres"], {})).toEqual({ NOMAD_VAR_api_release: address("api", "0a") });
    const given = { NOMAD_VAR_api_release: address("api", "1b") };
    expect(await releasesFor(nomad, ["api"], given)).toEqual(given);
  });

  test("has to be given where nothing runs", async () => {
    await expect(releasesFor(nomad, ["calls"], {})).rejects.toThrow("calls has no release yet");
  });

  test("reaches jobs that share a file", async () => {
    const given = { NOMAD_VAR_migrate_release: address("migrate", "1b") };
    const job = (await readWantedJobs(nomad, ["migrate"], given)).get("migrate")!;
    expect(job.TaskGroups[0]!.Tasks![0]!.Artifacts![0]!.GetterSource).toBe(address("migrate", "1b"));
  });
});
