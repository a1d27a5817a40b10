import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { Command } from "@commander-js/extra-typings";
import { messageOf } from "../../../lib/core/errors.ts";
import { requireLeaders } from "../../stack/leaders.ts";
import { seconds } from "../../stack/progress.ts";
import { resultCommand, wholeNumber } from "../arguments.ts";
import { ScaleFailure } from "./failure.ts";
import { takeScaleLock } from "./lock.ts";
import { createReport } from "./report.ts";
import type { Report } from "./report.ts";
import { readTarget } from "./target.ts";
import type { Target } from "./target.ts";

/** One change that a command makes, planned from the current state of the cluster. */
export type Change = {
  /** Such as "shards 2 → 3". */
  what: string;
  /** Planned actions, one a line; empty if nothing differs. */
  plan: readonly string[];
  /** Choices of the plan and outcomes, for the result: such as the nodes of new volumes. */
  details?: Record<string, unknown>;
  /** Why the change must not be made; then the command changes nothing. */
  refusal?: string | undefined;
  /** Asks the operator. Throws if the change must not be made. */
  approve?: () => Promise<void>;
  /** Makes the change. Idempotent: it skips what an interrupted run already did. */
  apply(report: Report): Promise<void>;
  /** The current state, for the operator who continues after a failure. */
  state(): Promise<Record<string, unknown>>;
};

export type Settings = { deadlineMs: number; dryRun: boolean };

/** Plans the changes of a command from the state of the cluster. */
export type Planner = (target: Target, settings: Settings) => Promise<Change[]>;

type CommonOptions = { dryRun: boolean; json: boolean; deadlineS: number };

/**
 * A command that changes the size or a setting of the cluster. `variables`: those of the Taskfile, such as "N=COUNT".
 */
export const scaleCommand = (name: string, variables: string, description: string) =>
  resultCommand(name, description, `${variables}${variables === "" ? "" : " "}[-- OPTIONS]`)
    .option("--dry-run", "print the plan and change nothing", false)
    .option(
      "--deadline-s <n>",
      "seconds to wait for a deployment, an allocation or another scale command",
      wholeNumber(1, 86_400),
      300,
    );

/** Parses a whole number that is set by a variable of the Taskfile; an unset variable arrives as an empty text. */
export const countOf =
  (variable: string, { min, max }: { min: number; max: number }) =>
  (text: string): number => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`${variable} must be a whole number from ${min} to ${max}.`);
  };

/** Parses one of `names`, set by a variable of the Taskfile. */
export const oneOf =
  <const T extends string>(variable: string, names: readonly T[]) =>
  (text: string): T => {
    const found = names.find((name) => name === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`${variable} must be one of ${names.join(", ")}.`);
  };

/**
 * Runs a command: parse, plan, lock, change, verify, print the result. Exits 0 when done, 1 on failure, 2 on wrong
 * arguments. `prepare` runs before the cluster is queried.
 */
export async function runScaleCommand<O extends CommonOptions>(
  command: Command<[], O>,
  prepare: (values: O) => Planner,
): Promise<never> {
  const values = command.parse().opts();
  const name = command.name().split(" ").at(-1)!;
  const deadlineMs = values.deadlineS * 1000;
  const changesOf = prepare(values);
  const { dryRun } = values;
  const report = createReport();
  const result = {
    command: name,
    ok: true,
    dry_run: dryRun,
  };
  let changes: Change[] = [];
  const finish = (extra: Record<string, unknown> = {}): never => {
    const took = { steps: report.steps, took_s: Number((report.elapsedMs() / 1000).toFixed(1)) };
    // Now, because a change adds to its details while it is made.
    const made = changes.map(({ what, plan, details }) => ({ what, plan, ...details }));
    if (values.json) console.log(JSON.stringify({ ...result, changes: made, ...took, ...extra }));
    process.exit(result.ok ? 0 : 1);
  };

  let release = async (): Promise<void> => {};
  try {
    const target = await readTarget();
    await requireLeaders(target.agents);
    if (!dryRun) {
      const lock = await takeScaleLock({
        consul: target.consul,
        command: name,
        deadlineMs,
        onLost: (holder) => {
          process.stderr.write(`The scale lock was lost to ${holder}; the command stopped changing the cluster.\n`);
          process.exit(1);
        },
      });
      release = () => lock.release();
      const interrupt = () => {
        process.stderr.write("\nInterrupted. Run the command again to continue.\n");
        void release().finally(() => process.exit(130));
      };
      process.once("SIGINT", interrupt);
      process.once("SIGTERM", interrupt);
    }
    changes = await changesOf(target, { deadlineMs, dryRun });
    if (changes.length === 0) process.stderr.write("nothing to do\n");
    for (const { what, plan } of changes) {
      process.stderr.write(`${what}${plan.length === 0 ? ": nothing to do" : ""}\n`);
      for (const line of plan) process.stderr.write(`  · ${line}\n`);
    }
    const refusals = changes.flatMap(({ refusal }) => refusal ?? []);
    if (refusals.length > 0) throw new ScaleFailure(refusals.join(" "));
    if (!dryRun)
      for (const change of changes) {
        if (change.plan.length === 0) continue;
        await change.approve?.();
        await change.apply(report);
      }
    await release();
    if (!dryRun) report.done(`done after ${seconds(report.elapsedMs())}`);
  } catch (error) {
    await release().catch(() => {});
    const reason = error instanceof ScaleFailure ? error.message : `${name}: ${messageOf(error)}`;
    const state: Record<string, unknown> = {};
    for (const change of changes)
      Object.assign(state, await change.state().catch((fault: unknown) => ({ unknown: messageOf(fault) })));
    process.stderr.write(`${reason}\n${changes.length > 0 ? `Current state: ${JSON.stringify(state)}\n` : ""}`);
    result.ok = false;
    return finish({ error: reason, state });
  }
  return finish();
}
