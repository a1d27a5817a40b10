import { expect } from "bun:test";
import type { JobPlan } from "../cli/deploy/plan.ts";
import { deployAndGoBack, deployBadRelease } from "../lab/chaos/deploy/scenario.ts";
import { batches } from "../stack/jobs.ts";
import { openStage } from "../lab/chaos/scale/stage.ts";
import { resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

/** Checks of task deploy and task rollback on the stack of the end-to-end test. */

type Result = { ok: boolean; changes: { plan: string[]; jobs: JobPlan[] }[] };

/** A short chaos:deploy: the dry run, a release that dies, and a good one of another job with its rollback. */
export async function checkDeploys(cluster: Cluster): Promise<void> {
  const output = await cluster.run(["./scripts/task", "deploy", "--", "--dry-run", "--json"]);
  const { ok, changes } = resultOf(output) as Result;
  // Nothing of migrate and indexer runs, so the rotation of secrets before left them as they were.
  const changed = changes[0]!.jobs.filter(({ job, action }) => action !== "none" && !batches.includes(job));
  expect([ok, changed]).toEqual([true, []]);
  const releases = changes[0]!.jobs.filter(({ release }) => release.to !== null);
  expect(releases.length).toBeGreaterThanOrEqual(8);
  expect(releases.filter(({ release: { from, to } }) => from !== to)).toEqual([]);

  const stage = await openStage(cluster.state, cluster.env, () => {});
  expect(await deployBadRelease(stage, { job: "calls", fault: "dies at once" })).toMatchObject({ faults: [] });
  expect(await deployAndGoBack(stage, ["call-agent"])).toMatchObject({ wrong: [] });
}
