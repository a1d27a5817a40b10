import { until } from "../../../../lib/testing/until.ts";
import { messageOf } from "../../../../lib/core/errors.ts";
import { rounded } from "../../figures.ts";
import type { Expected, Fault } from "./fault.ts";
import type { Stage } from "./stage.ts";

/** When an alert fired after its fault, and cleared after the repair; null if it did not in time. */
export type Timing = { alert: string; fault: string; firedS: number | null; clearedS: number | null };

export type RunOptions = {
  say: (line: string) => void;
  /** Waits for an alert to fire, and to clear. */
  firesWithinMs: number;
  clearsWithinMs: number;
};

type Firing = { labels: Record<string, string>; state: string };

const isFiring = async (stage: Stage, { alert, labels = () => ({}) }: Expected): Promise<boolean> => {
  const { alerts } = await stage.prometheus.get<{ alerts: Firing[] }>("alerts");
  const wanted = { alertname: alert, ...labels(stage) };
  return alerts.some(({ labels: own, state }) => state === "firing" && Bun.deepMatch(wanted, own));
};

/** Seconds until the condition holds; null if it does not in time. */
async function secondsUntil(condition: () => Promise<boolean>, deadlineMs: number): Promise<number | null> {
  const start = performance.now();
  const held = await until(condition, { deadlineMs, everyMs: 250 }).catch(() => false);
  return held ? rounded((performance.now() - start) / 1000, 1) : null;
}

/** Injects the faults, those that stand each other at once, and times the alerts of each. */
export async function provokeAlerts(stage: Stage, faults: readonly Fault[], options: RunOptions): Promise<Timing[]> {
  await untilCalm(stage, faults);
  const together = faults.filter(({ alone }) => alone !== true);
  const rounds = [together, ...faults.filter(({ alone }) => alone === true).map((fault) => [fault])];
  const timings: Promise<Timing[]>[] = [];
  for (const round of rounds) {
    const begun: { repaired: Promise<void>; timed: Promise<Timing[]> }[] = [];
    for (const fault of round) begun.push(await begin(stage, fault, options));
    await Promise.all(begun.map(({ repaired }) => repaired));
    timings.push(...begun.map(({ timed }) => timed));
  }
  return (await Promise.all(timings)).flat();
}

/** Alerts that fire without a fault would count as provoked. */
async function untilCalm(stage: Stage, faults: readonly Fault[]): Promise<void> {
  const expected = faults.flatMap(({ alerts }) => alerts);
  let firing: Expected[] = [];
  const calm = async () => {
    const found = await Promise.all(expected.map((one) => isFiring(stage, one)));
    firing = expected.filter((_, index) => found[index]);
    const { activeTargets } = await stage.prometheus.get<{ activeTargets: { health: string }[] }>("targets");
    return firing.length === 0 && activeTargets.length > 0 && activeTargets.every(({ health }) => health === "up");
  };
  await until(calm, { deadlineMs: 120_000, everyMs: 250, what: "targets that answer, and no alert" }).catch((error) => {
    throw new Error(`${messageOf(error)}; firing: ${firing.map(({ alert }) => alert).join(", ") || "none"}`);
  });
}

/** Injects a fault; resolves when it is there. It is repaired as soon as its alerts fire. */
async function begin(stage: Stage, fault: Fault, { say, firesWithinMs, clearsWithinMs }: RunOptions) {
  const repair = await fault.inject(stage);
  say(`injected: ${fault.name}`);
  const { alerts: expected } = fault;
  const fired = Promise.all(
    expected.map(async (one) => {
      const seconds = await secondsUntil(() => isFiring(stage, one), firesWithinMs);
      say(seconds === null ? `${one.alert} did not fire` : `${one.alert} fired after ${seconds} s`);
      return seconds;
    }),
  );
  const repaired = fired.then(async () => void (await repair()));
  const timed = repaired.then(() =>
    Promise.all(
      expected.map(async (one, index): Promise<Timing> => {
        const cleared = await secondsUntil(async () => !(await isFiring(stage, one)), clearsWithinMs);
        say(cleared === null ? `${one.alert} did not clear` : `${one.alert} cleared after ${cleared} s`);
        return { alert: one.alert, fault: fault.name, firedS: (await fired)[index]!, clearedS: cleared };
      }),
    ),
  );
  // A failure is reported where it is awaited.
  timed.catch(() => {});
  return { repaired, timed };
}
