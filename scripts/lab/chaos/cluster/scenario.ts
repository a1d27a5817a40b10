import { messageOf } from "../../../../lib/core/errors.ts";
import { until } from "../../../../lib/testing/until.ts";
import { heal } from "../../cluster/faults.ts";
import { restartNode } from "../../cluster/lifecycle.ts";
import { pidOf } from "../../cluster/node.ts";
import { openSessions, pairMembers } from "../scale/members.ts";
import { Talk } from "../scale/talk.ts";
import { drains } from "./drains.ts";
import { awaitReady, awaitServers } from "./settled.ts";
import type { Stage } from "./stage.ts";
import type { Figures, Plan, Step } from "./steps.ts";
import type { Result } from "./verdict.ts";

const settleMs = 120_000;

/** Takes the steps while businesses and contacts write and callers talk, and compares every message at the end. */
export async function runSteps(
  stage: Stage,
  steps: readonly Step[],
  plan: Plan & { businesses: number },
): Promise<Result> {
  const { simulator, callers, say } = stage;
  const members = await pairMembers(stage, plan.businesses);
  say(`${members.length} businesses are paired`);
  const before = await simulator.stats();
  const since = async (key: string) => ((await simulator.stats())[key] ?? 0) - (before[key] ?? 0);
  const talk = new Talk(stage, members, plan.perMinute);
  talk.start();
  callers.start();
  const figures: Figures = {};
  const failedBy: Record<string, number> = {};
  const failedSteps: Record<string, string> = {};
  /** Connections to WhatsApp that a lost node could not close. */
  let leftOpen = 0;
  for (const step of steps) {
    const start = performance.now();
    const failed = talk.failures.length;
    const measured = await step.run(stage, plan).catch(async (error: unknown): Promise<Figures> => {
      failedSteps[step.name] = messageOf(error);
      say(`${step.name} failed: ${messageOf(error)}`);
      await repair(stage);
      return {};
    });
    const { lost_connections: lostConnections = 0, ...rest } = measured;
    addFigures(figures, rest);
    failedBy[step.name] = talk.failures.length - failed;
    leftOpen += Number(lostConnections);
    say(
      `${step.name}: ${((performance.now() - start) / 1000).toFixed(1)} s ${JSON.stringify(rest)}; ` +
        `${talk.messages} messages, ${failedBy[step.name]} requests failed`,
    );
  }
  await Promise.all([talk.stop(), callers.stop()]);
  await until(async () => (await openSessions(stage, members)) === members.length, {
    deadlineMs: settleMs,
    everyMs: 500,
    what: "every session to be open",
  });
  const { lost, duplicates, foreign, disordered } = await talk.compare(settleMs);
  return {
    messages: talk.messages,
    lost,
    duplicates: duplicates + foreign,
    reordered: disordered,
    qr_scans: await since("pairings_offered"),
    two_owners: (await since("logins_replaced")) - leftOpen,
    calls: callers.answered,
    calls_lost: callers.lost,
    calls_refused: callers.refused,
    call_silence_ms_max: callers.silenceMsMax,
    requests: talk.requests,
    repeated_requests: talk.repeated,
    failed_requests: talk.failures.length,
    failed_requests_by_step: failedBy,
    ...(drains.name in failedBy ? { drain_failed_requests: failedBy[drains.name]! } : {}),
    ...figures,
    failed_steps: failedSteps,
  };
}

/** Adds the figures of a step: the largest of each maximum, and whether every placement was right. */
export function addFigures(figures: Figures, measured: Figures): void {
  for (const [key, value] of Object.entries(measured)) {
    const earlier = figures[key];
    if (key.endsWith("_max")) figures[key] = Math.max(Number(value), Number(earlier ?? 0));
    else if (key.endsWith("_ok")) figures[key] = earlier !== false && value;
    else figures[key] = value;
  }
}

/** Ends what a failed step left, so that the next one begins with a whole cluster. */
async function repair(stage: Stage): Promise<void> {
  const { cluster } = stage;
  await heal(cluster.layout.nodes);
  for (const node of cluster.layout.nodes)
    if ((await pidOf(cluster, node, "init")) === null) await restartNode(cluster, node);
  await awaitServers(stage);
  await awaitReady(stage, "every node");
}
