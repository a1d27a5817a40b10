import { parseArgs } from "node:util";
import type { ParseArgsConfig } from "node:util";
import { messageOf } from "../../../lib/core/errors.ts";
import { seconds } from "../../stack/progress.ts";
import { ScaleFailure } from "./failure.ts";
import { takeScaleLock } from "./lock.ts";
import { createReport } from "./report.ts";
import type { Report } from "./report.ts";
import { readTarget } from "./target.ts";
import type { Target } from "./target.ts";

/** One thing that a command changes, decided from what the cluster is like now. */
export type Change = {
  /** Such as "shards 2 → 3". */
  what: string;
  /** What will be done, a line each; none where everything is as it should be. */
  plan: readonly string[];
  /** Why it must not be done; nothing is changed then. */
  refusal?: string | undefined;
  /** Brings it about. Whatever was done before, by a run that was cut short, is found and not repeated. */
  apply(report: Report): Promise<void>;
  /** How things stand, for whoever must go on after a failure. */
  state(): Promise<Record<string, unknown>>;
};

export type Settings = { deadlineMs: number; dryRun: boolean };

export type Command<O extends NonNullable<ParseArgsConfig["options"]>> = {
  name: string;
  usage: string;
  options: O;
  /** Throws UsageFault where the arguments make no sense, before anything is asked of the cluster. */
  prepare(
    values: Record<keyof O, string | boolean | undefined>,
  ): (target: Target, settings: Settings) => Promise<Change[]>;
};

/** The arguments make no sense. */
export class UsageFault extends Error {}

const common = {
  "dry-run": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  "deadline-s": { type: "string", default: "300" },
  help: { type: "boolean", short: "h", default: false },
} as const;

export const commonUsage = `  --dry-run       show what would be done, and do nothing
  --json          one JSON object as the last line
  --deadline-s N  how long to wait for a deployment, an allocation or another scale command (300)`;

/** A number from an option. @throws UsageFault */
export function countOf(
  name: string,
  value: string | boolean | undefined,
  { min, max }: { min: number; max: number },
): number {
  const number = Number(value);
  if (typeof value === "string" && /^\d+$/.test(value) && number >= min && number <= max) return number;
  throw new UsageFault(`${name} must be a whole number from ${min} to ${max}${value ? `, not ${value}` : ""}`);
}

/** Runs a command: plan, lock, change, verify, result. Ends the process: 0 done, 1 not done, 2 wrong arguments. */
export async function runCommand<O extends NonNullable<ParseArgsConfig["options"]>>(
  command: Command<O>,
): Promise<never> {
  let values: Record<string, string | boolean | undefined>;
  let changesOf: ReturnType<Command<O>["prepare"]>;
  let deadlineMs: number;
  try {
    values = parseArgs({ options: { ...command.options, ...common } }).values;
    if (values["help"]) {
      console.log(command.usage);
      process.exit(0);
    }
    deadlineMs = countOf("--deadline-s", values["deadline-s"], { min: 1, max: 86_400 }) * 1000;
    changesOf = command.prepare(values as Record<keyof O, string | boolean | undefined>);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${command.usage}\n`);
    process.exit(2);
  }

  const dryRun = values["dry-run"] === true;
  const report = createReport();
  const result = {
    command: command.name,
    ok: true,
    dry_run: dryRun,
    changes: [] as { what: string; plan: readonly string[] }[],
  };
  const finish = (extra: Record<string, unknown> = {}): never => {
    const took = { steps: report.steps, took_s: Number((report.elapsedMs() / 1000).toFixed(1)) };
    if (values["json"]) console.log(JSON.stringify({ ...result, ...took, ...extra }));
    process.exit(result.ok ? 0 : 1);
  };

  let changes: Change[] = [];
  let release = async (): Promise<void> => {};
  try {
    const target = await readTarget();
    if (!dryRun) {
      const lock = await takeScaleLock({
        consul: target.consul,
        command: command.name,
        deadlineMs,
        onLost: (holder) => {
          process.stderr.write(`the scale lock was lost to ${holder}: nothing more is changed\n`);
          process.exit(1);
        },
      });
      release = () => lock.release();
      const interrupt = () => {
        process.stderr.write("\ninterrupted; run the command again to go on from here\n");
        void release().finally(() => process.exit(130));
      };
      process.once("SIGINT", interrupt);
      process.once("SIGTERM", interrupt);
    }
    changes = await changesOf(target, { deadlineMs, dryRun });
    result.changes = changes.map(({ what, plan }) => ({ what, plan }));
    for (const { what, plan } of changes) {
      process.stderr.write(`${what}${plan.length === 0 ? ": nothing to do" : ""}\n`);
      for (const line of plan) process.stderr.write(`  · ${line}\n`);
    }
    const refusals = changes.flatMap(({ refusal }) => refusal ?? []);
    if (refusals.length > 0) throw new ScaleFailure(refusals.join(" "));
    if (!dryRun) for (const change of changes) if (change.plan.length > 0) await change.apply(report);
    await release();
    if (!dryRun) report.done(`done after ${seconds(report.elapsedMs())}`);
  } catch (error) {
    await release().catch(() => {});
    const reason = error instanceof ScaleFailure ? error.message : `${command.name}: ${messageOf(error)}`;
    const state: Record<string, unknown> = {};
    for (const change of changes)
      Object.assign(state, await change.state().catch((fault: unknown) => ({ unknown: messageOf(fault) })));
    process.stderr.write(`${reason}\n${changes.length > 0 ? `As things stand: ${JSON.stringify(state)}\n` : ""}`);
    result.ok = false;
    return finish({ error: reason, state });
  }
  return finish();
}
