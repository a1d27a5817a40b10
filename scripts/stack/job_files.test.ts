import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parseEnvFile } from "./env_file.ts";
import { root } from "./environment.ts";
import { parseJobFile } from "./job_file.ts";
import { allJobs, batches, optionalJobs, pooler } from "./jobs.ts";
import type { Job } from "./nomad.ts";
import { partOfJob, parts, releaseVariable } from "./release/parts.ts";
import type { Part } from "./release/parts.ts";
import { releaseAddress } from "./release/tarball.ts";
import { checkJob, checkShared } from "./settings/check.ts";
import { serviceJobs } from "./settings/known.ts";

const read = (path: string) => Bun.file(join(root, path)).text();
const paths = [...new Bun.Glob("nomad/*/*.nomad.hcl").scanSync({ cwd: root })].toSorted();
const texts = new Map(await Promise.all(paths.map(async (path) => [path, await read(path)] as const)));
const addressOf = (part: Part) =>
  releaseAddress("https://releases.example.com", { file: `prosaas-${part}-0.tar.gz`, sha256: "0" });
const release = Object.fromEntries(parts.map((part) => [`NOMAD_VAR_${releaseVariable(part)}`, addressOf(part)]));

const kinds = ["dev", "cluster"] as const;

/** Nomad ignores NOMAD_VAR_<name> of variables that a job file does not declare, so a test finds misspelt ones. */
test.each(kinds)("job files declare every variable of %s", async (kind) => {
  const declared = new Set(
    [...texts.values()].flatMap((text) => [...text.matchAll(/^variable "(\w+)"/gm)].map(([, name]) => name!)),
  );
  const given = [...(await read(`nomad/env/${kind}.variables`)).matchAll(/^(\w+)=/gm)].map(([, name]) => name!);
  expect(given.length).toBeGreaterThan(5);
  expect(given.filter((name) => !declared.has(name))).toEqual([]);
});

test("the job files stay below 1,700 lines", () => {
  const lines = [...texts.values()].reduce((sum, text) => sum + text.split("\n").length - 1, 0);
  expect(lines).toBeLessThanOrEqual(1_700);
});

describe("job files", () => {
  const ids = [...allJobs, ...optionalJobs];
  let jobs: Job[];
  /** Registered by operators who want it, by no deploy. */
  let acme: Job;
  beforeAll(async () => {
    jobs = await Promise.all(ids.map((name) => parseJobFile(name, release)));
    acme = await parseJobFile("acme", release);
  }, 30_000);

  test("need no variable but their release", () => {
    expect(jobs.map(({ ID }) => ID).toSorted()).toEqual(ids.toSorted());
  });

  test("have the type that the server gives them", () => {
    const typeOf = (id: string) => (batches.includes(id) ? "batch" : pooler.includes(id) ? "system" : "service");
    expect(jobs.map(({ ID, Type }) => [ID, Type])).toEqual(ids.map((id) => [id, typeOf(id)]));
  });

  test("run the tarball of their service", () => {
    const sourcesOf = ({ TaskGroups }: Job) =>
      TaskGroups.flatMap(({ Tasks }) => Tasks ?? []).flatMap(({ Artifacts }) => Artifacts?.[0]?.GetterSource ?? []);
    for (const job of [...jobs, acme]) {
      const part = partOfJob(job.ID);
      expect([job.ID, ...new Set(sourcesOf(job))]).toEqual([job.ID, ...(part === null ? [] : [addressOf(part)])]);
    }
    expect([...jobs, acme].flatMap(({ ID }) => partOfJob(ID) ?? []).toSorted()).toEqual(parts.toSorted());
  });

  test("have services go back to the version before", () => {
    const updates = jobs
      .filter(({ ID }) => ["api", "calls", "workers", "wa-shards", "nginx"].includes(ID))
      .flatMap(({ ID, TaskGroups }) => TaskGroups.map(({ Update }) => [ID, Update?.AutoRevert]));
    expect(updates.length).toBeGreaterThanOrEqual(7);
    expect(updates.filter(([, reverts]) => reverts !== true)).toEqual([]);
  });

  test("hold a deployment of shards until sessions are open", () => {
    const services = jobs.find(({ ID }) => ID === "wa-shards")!.TaskGroups[0]!.Services!;
    const check = services.find(({ Name }) => Name === "whatsapp-sessions")!.Checks![0]!;
    expect(check).toMatchObject({ Path: "/reopened", PortLabel: "ops" });
    // "ignore" would let the deployment go on.
    expect(check.OnUpdate ?? "").toBe("");
    expect(check.InitialStatus ?? "").toBe("");
  });

  // A file that is rendered while the task is between two processes would fail the allocation (Nomad #5459).
  test("signal no task when a file is rendered", () => {
    const templates = jobs.flatMap(({ TaskGroups }) => TaskGroups).flatMap(({ Tasks }) => Tasks ?? []);
    const modes = templates.flatMap(({ Templates }) => Templates ?? []).map(({ ChangeMode }) => ChangeMode);
    expect(modes.length).toBeGreaterThan(10);
    expect(modes).not.toContain("signal");
  });

  test("give services the common environment", () => {
    for (const { ID, TaskGroups } of jobs.filter((job) => serviceJobs.includes(job.ID))) {
      for (const { Templates } of TaskGroups.flatMap(({ Tasks }) => Tasks ?? [])) {
        expect([ID, Templates?.some(({ EmbeddedTmpl }) => EmbeddedTmpl.includes("sprig_list"))]).toEqual([ID, true]);
      }
    }
  });

  test.each(kinds)("leave the shared settings of %s to it", async (kind) => {
    const settings = (await read(`nomad/env/${kind}.settings`)).replaceAll(/\{\w+\}/g, "1");
    expect(checkShared(parseEnvFile(settings), jobs)).toEqual([]);
  });
});

describe("the job prometheus", () => {
  test("needs no variable and one secret", async () => {
    const job = await parseJobFile("prometheus", {});
    expect(checkJob(job, {}, { metrics_token: "m" })).toEqual([]);
    expect(checkJob(job, {}, { password: "p" })).toHaveLength(1);
  });
});

describe("operational ports", () => {
  // nginx answers its own check, and a job that ends has none.
  const own = [...texts].filter(
    ([path, text]) =>
      text.includes("services/") && text.includes("service {") && !/(nginx|schema)\.nomad\.hcl$/.test(path),
  );

  test("serve the checks of every service", () => {
    expect(own.length).toBeGreaterThanOrEqual(6);
    for (const [name, text] of own) {
      const checks = [...text.matchAll(/^ *check \{\n(?: +\w+ += .*\n)*/gm)]
        .map(([block]) => block)
        .filter((block) => block.includes('type     = "http"'));
      const elsewhere = checks.filter((block) => !block.includes('port     = "ops"'));
      expect({ name, checks: checks.length > 0, elsewhere }).toEqual({ name, checks: true, elsewhere: [] });
      expect(text).toMatch(/OPS_PORT += "\$\{NOMAD_PORT_ops\}"/);
      expect(text).toMatch(/ops_port += "\$\{NOMAD_PORT_ops\}"/);
    }
  });
});
