import { kvGet } from "../../../../lib/consul/client.ts";
import { numShardsKey } from "../../../../lib/routing/index.ts";
import { until } from "../../../../lib/testing/until.ts";
import { allPages } from "../../../cli/operator/pages.ts";
import type { Page } from "../../../cli/operator/pages.ts";
import { loseConsul } from "./consul_outage.ts";
import type { Outage } from "./consul_outage.ts";
import { newcomerShard } from "./crowd.ts";
import { deployAll, rollingJobs } from "./deploy.ts";
import { runScript, sufferAndFinish } from "./scripts.ts";
import type { Stage } from "./stage.ts";
import type { Known } from "./tasks.ts";

export type ScalePlan = {
  businesses: number;
  /** Messages a minute, each way. */
  perMinute: number;
  few: number;
  many: number;
  consulAwayS: number;
};

/** What the ordeals found out. */
export type Findings = {
  addShardS: number;
  /** Newcomers that asked for a QR on purpose. */
  newcomers: number;
  scriptsKilled: number;
  /** Of the rebalance. */
  moved: number;
  moveTotalS: number;
  outage: Outage | undefined;
};

export type Ordeal = {
  name: string;
  /** Whether an allocation may end in it. */
  mayGo: (one: Known, plan: ScalePlan) => boolean;
  undergo(stage: Stage, plan: ScalePlan, findings: Findings): Promise<void>;
};

const nobody = () => false;

const addOne: Ordeal = {
  name: "one more shard",
  mayGo: nobody,
  undergo: async (stage, { few }, findings) => {
    await runScript(stage, "assignment", ["--rule", "least_loaded"]);
    const began = performance.now();
    const scaling = runScript(stage, "shards", ["--count", `${few + 1}`]);
    await until(async () => (await kvGet(stage.consul, numShardsKey))?.value === `${few + 1}`, {
      deadlineMs: 120_000,
      what: "the number of shards",
    });
    const taken = async () => {
      findings.newcomers += 1;
      return (await newcomerShard(stage)) === few + 1;
    };
    await until(taken, { deadlineMs: 60_000, what: "the new shard to take a business" });
    findings.addShardS = (performance.now() - began) / 1000;
    await scaling;
  },
};

const grow: Ordeal = {
  name: "more shards, killed twice on the way",
  mayGo: nobody,
  undergo: async (stage, { many }, findings) => {
    const kills = [{ after: /make the volumes|set the count/, ms: 1_000 }, { after: /asked for/ }];
    findings.scriptsKilled += await sufferAndFinish(stage, "shards", ["--count", `${many}`], kills);
  },
};

type Move = { id: string; status: string; created_at: string; finished_at: string | null; silent_ms: number | null };

export function finishedMoves({ api }: Pick<Stage, "api">): Promise<Move[]> {
  return allPages((cursor) =>
    api<Page<Move>>("GET", `/v1/admin/moves?limit=200${cursor === undefined ? "" : `&cursor=${cursor}`}`),
  );
}

const spread: Ordeal = {
  name: "rebalance, killed on the way",
  mayGo: nobody,
  undergo: async (stage, _plan, findings) => {
    const earlier = new Set((await finishedMoves(stage)).map(({ id }) => id));
    findings.scriptsKilled += await sufferAndFinish(stage, "rebalance", [], [{ after: /shard \d+ → \d+/, ms: 1_500 }]);
    const moves = (await finishedMoves(stage)).filter(({ id, status }) => !earlier.has(id) && status === "done");
    const times = (at: (move: Move) => string) => moves.map((move) => Date.parse(at(move)));
    findings.moved = moves.length;
    findings.moveTotalS =
      (Math.max(...times(({ finished_at }) => finished_at!)) - Math.min(...times(({ created_at }) => created_at))) /
      1000;
  },
};

const withoutConsul: Ordeal = {
  name: "Consul away",
  mayGo: nobody,
  undergo: async (stage, { consulAwayS }, findings) => {
    findings.outage = await loseConsul(stage, consulAwayS);
    const { sentMeanwhile, receivedMeanwhile, freshS } = findings.outage;
    stage.say(
      `Consul away for ${consulAwayS} s: ${sentMeanwhile} sent and ${receivedMeanwhile} received meanwhile; every directory fresh ${freshS.toFixed(1)} s after`,
    );
  },
};

/** Counts of a new stack, by the defaults of the job files. */
const usual: Record<string, number> = { api: 2, calls: 1, workers: 1 };

const stateless: Ordeal = {
  name: "workers, calls and API up and down, three commands at once, each killed on the way",
  mayGo: ({ job, index }) => index >= (usual[job] ?? Number.POSITIVE_INFINITY),
  undergo: async (stage, _plan, findings) => {
    const midway = [{ after: /asked for/ }];
    const killed = await Promise.all([
      sufferAndFinish(stage, "workers", ["--group", "high", "--count", "2"], midway),
      sufferAndFinish(stage, "calls", ["--count", "2", "--max", "60"], midway),
      sufferAndFinish(stage, "api", ["--count", "3"], midway),
    ]);
    const plan = `${stage.state}/usual-size.yml`;
    await Bun.write(plan, "api: 2\nworkers: { high: 1 }\ncalls: { count: 1, max_concurrent: 50 }\n");
    const down = await sufferAndFinish(stage, "plan", ["--file", plan], midway);
    findings.scriptsKilled += killed.reduce((sum, one) => sum + one, down);
  },
};

const shrink: Ordeal = {
  name: "fewer shards, their businesses moved first, killed twice on the way",
  mayGo: ({ job, index }, { few }) => job === "wa-shards" && index >= few,
  undergo: async (stage, { few }, findings) => {
    const kills = [{ after: /move \d+ businesses/, ms: 1_500 }, { after: /asked for/ }];
    findings.scriptsKilled += await sufferAndFinish(stage, "shards", ["--count", `${few}`, "--drain"], kills);
  },
};

const deploy: Ordeal = {
  name: "a rolling deploy of api, calls, workers and wa-shards",
  mayGo: ({ job }) => rollingJobs.includes(job),
  undergo: (stage) => deployAll(stage),
};

export const ordeals: readonly Ordeal[] = [addOne, grow, spread, withoutConsul, stateless, shrink, deploy];
