import { messageOf } from "../../../lib/core/errors.ts";
import { batches } from "../../stack/jobs.ts";
import { orNull } from "../../stack/nomad.ts";
import type { Job } from "../../stack/nomad.ts";
import { releaseName, releaseOf } from "../../stack/release/running.ts";
import type { Reporter, RollOutOptions } from "../../stack/roll_out.ts";
import { JobFailure } from "../../stack/wait.ts";
import { confirm } from "../confirm.ts";
import type { Change } from "../scale/command.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Report } from "../scale/report.ts";
import type { Target } from "../scale/target.ts";
import { describeAftermath } from "./aftermath.ts";
import { describePlan, planJobs } from "./plan.ts";
import type { JobPlan } from "./plan.ts";
import { recordOf, writeRecord } from "./record.ts";
import type { DeployRecord } from "./record.ts";
import { countOpenSessions, verifySessions } from "./sessions.ts";
import { verifyJob } from "./verify.ts";
import type { Verified } from "./verify.ts";

export type Rollover = {
  kind: DeployRecord["kind"];
  /** The jobs as they should run, without counts. */
  jobs: ReadonlyMap<string, Job>;
  deadlineMs: number;
  /** True to ask nothing. */
  yes: boolean;
  /** Registers the jobs and waits for them: one of the functions in scripts/stack/roll_out.ts. */
  run(options: RollOutOptions): Promise<void>;
  /** Settings, secrets and volumes, before the first job. */
  prepare?(report: Reporter): Promise<void>;
  /** At the end, also of a failure. */
  finish?(): Promise<void>;
};

const reporterOf = (report: Report): Reporter => ({
  step: (title) => void process.stderr.write(`${title}\n`),
  say: (text) => report.done(text),
});

/** Plans a deploy or a rollback: shown first, then made in its stages, recorded and verified. */
export async function rolloverChange(target: Target, rollover: Rollover): Promise<Change> {
  const { kind, jobs, deadlineMs, yes } = rollover;
  const { stack } = target;
  const plans = await planJobs(target, jobs);
  const changing = plans.filter(({ action }) => action !== "none");
  const same = plans.filter(({ action }) => action === "none");
  const unchanged = `unchanged: ${same.map(describeSame).join(", ")}`;
  const names = changing.map(({ job }) => job);
  const details: Record<string, unknown> = { cluster: stack.nomad_addr, jobs: plans };
  return {
    what: `${kind} on ${stack.base_url} (Nomad ${stack.nomad_addr})${names.length > 0 ? "" : `; ${unchanged}`}`,
    plan: [...changing.map(describePlan), ...(changing.length > 0 && same.length > 0 ? [unchanged] : [])],
    details,
    approve: async () => {
      if (!yes) await confirm(`${kind === "deploy" ? "deploy" : "roll back"} ${names.join(", ")}`);
    },
    apply: async (report) => {
      const before = await countOpenSessions(target);
      const record = recordOf(kind, changing);
      await writeRecord(target.consul, record);
      try {
        await rollover.prepare?.(reporterOf(report));
        const options = { agents: target.agents, jobs, deadlineMs, endsAtUnhealthy: true, report: reporterOf(report) };
        await rollover.run(options);
        await report.step("reading releases, counts and health", async () => {
          const verified = await verify(target, changing);
          details["verified"] = verified;
          return `verified: ${verified.map(({ job, healthy, wanted }) => `${job} ${healthy}/${wanted}`).join(", ")}`;
        });
        if (names.includes("wa-shards")) details["sessions"] = await verifySessions(target, before, report, deadlineMs);
      } catch (error) {
        if (!(error instanceof JobFailure)) throw error;
        throw new ScaleFailure(await describeAftermath(target, rollover, changing, error.message, report));
      } finally {
        await rollover.finish?.();
      }
      await writeRecord(target.consul, { ...record, done: true });
    },
    state: async () => ({ releases: await releasesOf(target, jobs).catch((error: unknown) => messageOf(error)) }),
  };
}

/** The releases that jobs run now. */
async function releasesOf({ nomad }: Target, jobs: ReadonlyMap<string, Job>): Promise<Record<string, string | null>> {
  const read = [...jobs.keys()].map(async (id) => {
    const running = await orNull(nomad<Job>("GET", `/v1/job/${encodeURIComponent(id)}`));
    const address = running === null ? undefined : releaseOf(running);
    return [id, address === undefined ? null : releaseName(address)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

const describeSame = ({ job, release }: JobPlan) => (release.to === null ? job : `${job} (${release.to})`);

/** Checks every job that runs. */
function verify(target: Target, plans: readonly JobPlan[]): Promise<Verified[]> {
  const running = plans.filter(({ job }) => !batches.includes(job));
  return Promise.all(running.map((plan) => verifyJob(target, plan)));
}
