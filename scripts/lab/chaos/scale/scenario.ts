import { until } from "../../../../lib/testing/until.ts";
import { openSessions, pairMembers } from "./members.ts";
import { finishedMoves } from "./steps.ts";
import type { Findings, Step, ScalePlan } from "./steps.ts";
import type { Stage } from "./stage.ts";
import { Talk } from "./talk.ts";
import { readTasks, unneededRestarts } from "./restarts.ts";
import { rounded } from "../../figures.ts";

export type ScaleResult = {
  requests: number;
  failed_requests: number;
  /** Requests on a kept connection that the edge had just closed: retried once, as HTTP clients do. */
  repeated_requests: number;
  messages: number;
  lost: number;
  duplicates: number;
  /** Chats whose messages arrived in another order. */
  reordered: number;
  qr_scans: number;
  unneeded_restarts: number;
  add_shard_s: number;
  /** Businesses that the rebalance moved, and its duration. */
  moved: number;
  move_total_s: number;
  /** The longest wait of a business's messages during a move. */
  move_silence_ms_max: number;
  scripts_killed: number;
  consul_away_s: number;
  sent_without_consul: number;
  received_without_consul: number;
  directory_fresh_s: number;
};

const settleMs = 120_000;

/** Scales a stack while businesses and contacts write, and compares every message at the end. */
export async function scaleWhileTalking(stage: Stage, plan: ScalePlan, steps: readonly Step[]): Promise<ScaleResult> {
  const { say, simulator } = stage;
  const members = await pairMembers(stage, plan.businesses);
  say(`${members.length} businesses are paired`);
  const pairings = async () => (await simulator.stats())["pairings_offered"] ?? 0;
  const before = await pairings();
  const earlier = new Set((await finishedMoves(stage)).map(({ id }) => id));
  const findings: Findings = {
    addShardS: 0,
    newcomers: 0,
    scriptsKilled: 0,
    moved: 0,
    moveTotalS: 0,
    outage: undefined,
  };
  const restarts: string[] = [];

  const talk = new Talk(stage, members, plan.perMinute);
  talk.start();
  for (const { name, run, mayEnd } of steps) {
    const began = performance.now();
    const tasks = await readTasks(stage);
    await run(stage, plan, findings);
    restarts.push(...unneededRestarts(tasks, await readTasks(stage), (one) => mayEnd(one, plan)));
    const took = ((performance.now() - began) / 1000).toFixed(1);
    say(
      `${name}: ${took} s; ${talk.messages} messages, ` +
        `${talk.failures.length} of ${talk.requests} requests failed so far`,
    );
  }
  await talk.stop();
  for (const line of restarts) say(line);
  await until(async () => (await openSessions(stage, members)) === members.length, {
    deadlineMs: settleMs,
    what: "every session to be open",
    everyMs: 500,
  });
  const { lost, duplicates, foreign, disordered } = await talk.compare(settleMs);
  const moves = (await finishedMoves(stage)).filter(({ id }) => !earlier.has(id));
  return {
    requests: talk.requests,
    failed_requests: talk.failures.length,
    repeated_requests: talk.repeated,
    messages: talk.messages,
    lost,
    duplicates: duplicates + foreign,
    reordered: disordered,
    qr_scans: (await pairings()) - before - findings.newcomers,
    unneeded_restarts: restarts.length,
    add_shard_s: rounded(findings.addShardS, 1),
    moved: findings.moved,
    move_total_s: rounded(findings.moveTotalS, 1),
    move_silence_ms_max: Math.max(0, ...moves.map(({ silent_ms }) => silent_ms ?? 0)),
    scripts_killed: findings.scriptsKilled,
    consul_away_s: findings.outage === undefined ? 0 : plan.consulAwayS,
    sent_without_consul: findings.outage?.sentDuring ?? 0,
    received_without_consul: findings.outage?.receivedDuring ?? 0,
    directory_fresh_s: rounded(findings.outage?.freshS ?? 0, 1),
  };
}

/** Counts that must be 0. */
export const faultsOf = ({
  failed_requests,
  lost,
  duplicates,
  reordered,
  qr_scans,
  unneeded_restarts,
}: ScaleResult) => ({
  failed_requests,
  lost,
  duplicates,
  reordered,
  qr_scans,
  unneeded_restarts,
});
