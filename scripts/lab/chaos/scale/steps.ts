import { kvGet } from "../../../../lib/consul/client.ts";
import { numShardsKey } from "../../../../lib/routing/index.ts";
import { until } from "../../../../lib/testing/until.ts";
import { allPages } from "../../../cli/operator/pages.ts";
import type { Page } from "../../../cli/operator/pages.ts";
import { loseConsul } from "./consul_outage.ts";
import type { Outage } from "./consul_outage.ts";
import { newcomerShard } from "./members.ts";
import { deployInStages, rollingJobs } from "./deploy.ts";
import { runScript, killAndFinish } from "./scripts.ts";
import type { Stage } from "./stage.ts";
import type { Known } from "./restarts.ts";

export type ScalePlan = {
  businesses: number;
  /** Messages a minute in each direction. */
  perMinute: number;
  few: number;
  many: number;
  consulAwayS: number;
};

/** Figures that the steps collect. */
export type Findings = {
  addShardS: number;
  /** New businesses that requested a QR code on purpose. */
  newcomers: number;
  scriptsKilled: number;
  /** Businesses that the rebalance moved. */
  moved: number;
  moveTotalS: number;
  outage: Outage | undefined;
};

export type Step = {
  name: string;
  /** True if the step may end this allocation. */
  mayEnd: (one: Known, plan: ScalePlan) => boolean;
  run(stage: Stage, plan: ScalePlan, findings: Findings): Promise<void>;
};

const noneEnds = () => false;

const addOne: Step = {
  name: "one more shard",
  mayEnd: noneEnds,
  run: async (stage, { few }, findings) => {
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

const grow: Step = {
  name: "more shards, killed twice",
  mayEnd: noneEnds,
  run: async (stage, { many }, findings) => {
    const kills = [{ after: /make the volume|set the count/, ms: 1_000 }, { after: /asked for/ }];
    findings.scriptsKilled += await killAndFinish(stage, "shards", ["--count", `${many}`], kills);
  },
};

type Move = { id: string; status: string; created_at: string; finished_at: string | null; silent_ms: number | null };

export function finishedMoves({ api }: Pick<Stage, "api">): Promise<Move[]> {
  return allPages((cursor) =>
    api<Page<Move>>("GET", `/v1/admin/moves?limit=200${cursor === undefined ? "" : `&cursor=${cursor}`}`),
  );
}

const spread: Step = {
  name: "rebalance, killed",
  mayEnd: noneEnds,
  run: async (stage, _plan, findings) => {
    const earlier = new Set((await finishedMoves(stage)).map(({ id }) => id));
    findings.scriptsKilled += await killAndFinish(stage, "rebalance", [], [{ after: /shard \d+ → \d+/, ms: 1_500 }]);
    const moves = (await finishedMoves(stage)).filter(({ id, status }) => !earlier.has(id) && status === "done");
    const times = (at: (move: Move) => string) => moves.map((move) => Date.parse(at(move)));
    findings.moved = moves.length;
    findings.moveTotalS =
      (Math.max(...times(({ finished_at }) => finished_at!)) - Math.min(...times(({ created_at }) => created_at))) /
      1000;
  },
};

const withoutConsul: Step = {
  name: "Consul down",
  mayEnd: noneEnds,
  run: async (stage, { consulAwayS }, findings) => {
    findings.outage = await loseConsul(stage, consulAwayS);
    const { sentDuring, receivedDuring, freshS } = findings.outage;
    stage.say(
      `Consul down for ${consulAwayS} s: ${sentDuring} sent, ${receivedDuring} received; ` +
        `every directory fresh ${freshS.toFixed(1)} s after its return`,
    );
  },
};

/** Initial counts of a stack, by the defaults of the job files. */
const usual: Record<string, number> = { api: 2, calls: 1, workers: 1 };

const stateless: Step = {
  name: "workers, calls and API up and down, three commands at once, each killed",
  mayEnd: ({ job, index }) => index >= (usual[job] ?? Number.POSITIVE_INFINITY),
  run: async (stage, _plan, findings) => {
    const midway = [{ after: /asked for/ }];
    const killed = await Promise.all([
      killAndFinish(stage, "workers", ["--group", "high", "--count", "2"], midway),
      killAndFinish(stage, "calls", ["--count", "2", "--max", "60"], midway),
      killAndFinish(stage, "api", ["--count", "3"], midway),
    ]);
    const plan = `${stage.state}/usual-size.yml`;
    await Bun.write(plan, "api: 2\nworkers: { high: 1 }\ncalls: { count: 1, max_concurrent: 50 }\n");
    const down = await killAndFinish(stage, "plan", ["--file", plan], midway);
    findings.scriptsKilled += killed.reduce((sum, one) => sum + one, down);
  },
};

const shrink: Step = {
  name: "fewer shards with a drain, killed twice",
  mayEnd: ({ job, index }, { few }) => job === "wa-shards" && index >= few,
  run: async (stage, { few }, findings) => {
    const kills = [{ after: /move \d+ businesses/, ms: 1_500 }, { after: /asked for/ }];
    findings.scriptsKilled += await killAndFinish(stage, "shards", ["--count", `${few}`, "--drain"], kills);
  },
};

const deploy: Step = {
  name: "a rolling deploy of api, calls, workers and wa-shards",
  mayEnd: ({ job }) => rollingJobs.includes(job),
  run: (stage) => deployInStages(stage),
};

export const steps: readonly Step[] = [addOne, grow, spread, withoutConsul, stateless, shrink, deploy];
