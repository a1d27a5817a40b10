import { randomToken } from "../../../lib/core/secret.ts";
import { messageOf } from "../../../lib/core/errors.ts";
import type { Change, Settings } from "../scale/command.ts";
import type { Target } from "../scale/target.ts";
import type { Secret } from "./catalogue.ts";
import { readHidden } from "./hidden_input.ts";
import { givePostgresPasswords } from "./live_postgres.ts";
import { giveRedisPasswords } from "./live_redis.ts";
import { rollOut, runningJob } from "./roll_out.ts";
import { endRotation, fullVariables, jobsOf, readRotating, strayItems, writeStep } from "./rotation.ts";
import type { Rotating } from "./rotation.ts";
import { stepsLeft } from "./steps.ts";
import type { Step } from "./steps.ts";

export type RotationOptions = {
  secrets: readonly Secret[];
  /** True if secrets that this cluster cannot rotate are left out, with a message; false if they are refused. */
  skip: boolean;
  /** The operator says that the carrier signs with the new token. */
  promoted: boolean;
  /** When the command began, as an ISO date. */
  began: string;
};

const order: readonly Step[] = ["accept", "present", "promote", "retire"];
const phrases: Record<Step, string> = {
  accept: "accept a new value beside the old one",
  present: "use the new value",
  promote: "let the carrier sign with the new value",
  retire: "remove the old value",
};

/** The changes of a rotation: one for each step that is left, of all secrets together, so that a job rolls once. */
export async function planRotation(target: Target, settings: Settings, options: RotationOptions): Promise<Change[]> {
  const { secrets, skip, promoted, began } = options;
  const simulated = (await runningJob(target, "simulator")) !== null;
  const left: { secret: Secret; steps: readonly Step[] }[] = [];
  const next = new Map<string, string>();
  const refusals: string[] = [];
  for (const secret of secrets) {
    const read = await rotatingOf(target, secret);
    if (typeof read === "string") {
      if (skip) process.stderr.write(`left out: ${read}\n`);
      else refusals.push(read);
      continue;
    }
    // Another command rotated it while this one waited for the lock.
    if (read.started === null && read.since !== null && read.since > began) continue;
    if (secret.rotation!.next === undefined && read.started === null && !settings.dryRun)
      next.set(secret.name, simulated ? randomToken() : await newValueOf(secret));
    const steps = stepsOf(read, { simulated, promoted });
    if (steps.length === 0) refusals.push(hintOfPromotion(secret));
    left.push({ secret, steps });
  }
  const changes = order.flatMap((step) => {
    const now = left.filter(({ steps }) => steps.includes(step));
    if (now.length === 0) return [];
    const ended = now.filter(({ steps }) => steps.at(-1) === step).map(({ secret }) => secret);
    return [changeOf(target, settings, { step, secrets: now.map(({ secret }) => secret), ended, next })];
  });
  if (refusals.length > 0) return [{ ...nothing, refusal: refusals.join(" ") }];
  return changes;
}

/** Servers that get their passwords while they run: a restart would disconnect every client. */
const servers = [
  { job: "postgres", give: givePostgresPasswords },
  { job: "redis", give: giveRedisPasswords },
];

const nothing: Change = { what: "rotation", plan: [], apply: async () => {}, state: async () => ({}) };

/** A secret that can be rotated now, or why it cannot. */
async function rotatingOf(target: Target, secret: Secret): Promise<Rotating | string> {
  const { server } = secret.rotation!;
  if (server !== undefined && (await runningJob(target, server)) === null)
    return (
      `The job ${server}, which checks ${secret.name}, does not run here. Change the value at the service that ` +
      `checks it, then give it to its clients with task secrets:set NAME=${secret.name} and task secrets:apply.`
    );
  try {
    const read = await readRotating(target.nomad, secret);
    const { name } = secret;
    const full = await fullVariables(target.nomad, read);
    if (full.length > 0) {
      const advice = `leave out keys of ${name} that are not needed (task secrets:set)`;
      return `${full.join(" and ")} would be larger than a Nomad variable may be: first ${advice}.`;
    }
    const stray = read.started === null ? await strayItems(target.nomad, read) : [];
    if (stray.length === 0) return read;
    return (
      `${stray.join(" and ")} and prosaas/secrets have different values of ${name}. Give all the one that is in use ` +
      `with task secrets:set NAME=${name}.`
    );
  } catch (error) {
    return messageOf(error);
  }
}

/** A carrier that is not simulated makes and promotes its tokens itself: its operator runs the command twice. */
function stepsOf({ secret, started }: Rotating, { simulated, promoted }: { simulated: boolean; promoted: boolean }) {
  const { steps, next } = secret.rotation!;
  const left = stepsLeft(steps, started);
  if (simulated || next !== undefined) return left;
  if (promoted) return started === null || started === "accept" ? [] : (["retire"] as const);
  return left.filter((step) => step !== "promote" && step !== "retire");
}

const hintOfPromotion = ({ name }: Secret) =>
  `${name}: give the new token first (without --promoted), promote it at the carrier, then run this with --promoted.`;

async function newValueOf({ name, format }: Secret): Promise<string> {
  const value = await readHidden(`the secondary token that the carrier made (${name})`);
  const fault = format.fault(value);
  if (fault !== null) throw new Error(`The new value of ${name} ${fault}.`);
  return value;
}

type StepOf = {
  step: Step;
  secrets: readonly Secret[];
  /** Those whose last step this is. */
  ended: readonly Secret[];
  /** Values that no generator makes. */
  next: ReadonlyMap<string, string>;
};

function changeOf(target: Target, settings: Settings, { step, secrets, ended, next }: StepOf): Change {
  const names = secrets.map(({ name }) => name).join(", ");
  const jobs = jobsOf(secrets, step);
  const live = servers.filter(({ job }) => secrets.some(({ rotation }) => rotation?.server === job));
  const kept = ended.filter(({ rotation }) => rotation?.keeps !== undefined);
  return {
    what: `${phrases[step]}: ${names}`,
    plan: [
      "write the values to prosaas/secrets and to the jobs that have them",
      ...live.map(({ job }) => `give ${job} its passwords while it runs`),
      ...jobs.map((id) => `replace the allocations of ${id}, if it runs, by its update block`),
      ...kept.map(({ name, rotation }) => `keep the old key of ${name} for reading: ${rotation!.keeps}`),
    ],
    apply: async (report) => {
      await report.step(`values written: ${names}`, async () => {
        for (const secret of secrets)
          await writeStep(target.nomad, secret, step, (now) => secret.rotation!.next?.(now) ?? next.get(secret.name)!);
      });
      for (const { job, give } of live) await report.step(`${job} has its passwords`, () => give(target));
      for (const id of jobs) {
        if ((await runningJob(target, id)) === null) continue;
        await report.step(`${id} runs with its current secrets`, () => rollOut(target, id, report, settings));
      }
      for (const secret of ended.filter(({ rotation }) => rotation!.steps.at(-1) === step))
        await endRotation(target.nomad, secret);
      const waiting = ended.filter(({ rotation }) => rotation!.steps.at(-1) !== step);
      for (const { name } of waiting)
        report.done(`now promote the new token at the carrier, then: task secrets:rotate NAME=${name} -- --promoted`);
    },
    state: async () =>
      Object.fromEntries(
        await Promise.all(
          secrets.map(
            async (secret) => [secret.name, (await readRotating(target.nomad, secret)).started ?? "done"] as const,
          ),
        ),
      ),
  };
}
