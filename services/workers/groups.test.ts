import { expect, test } from "bun:test";
import { groups, profiles } from "../../lib/queues/index.ts";

test("the job file knows the groups that there are, and runs each of them by default", async () => {
  const job = await Bun.file(`${import.meta.dir}/../../nomad/jobs/workers.nomad.hcl`).text();
  const allowed = /setintersection\(keys\(var\.worker_counts\), (\[[^\]]+\])\)/.exec(job)?.[1];
  expect(JSON.parse(allowed ?? "null")).toEqual([...profiles]);
  const defaults = /default\s*=\s*\{([^}]+)\}/.exec(job)?.[1] ?? "";
  expect(defaults.split(",").map((count) => count.split("=")[0]?.trim())).toEqual([...groups]);
});
