import { withinGrace } from "../../../../lib/core/time.ts";
import { until } from "../../../../lib/testing/until.ts";
import { takeScaleLock } from "../../../cli/scale/lock.ts";
import { createNomad } from "../../../stack/nomad.ts";
import type { Deployment } from "../../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../../stack/secrets.ts";
import type { Agent } from "../../cluster/agents.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import { restartNode } from "../../cluster/lifecycle.ts";
import { powerOff } from "../../cluster/node.ts";
import { leaderOf } from "../../cluster/status.ts";
import { deployInStages } from "../scale/deploy.ts";
import { useServer } from "./operator.ts";
import { awaitReady, awaitServers } from "./settled.ts";
import type { Stage } from "./stage.ts";
import type { Step } from "./steps.ts";
import { rounded } from "../../figures.ts";

/** Each leader is lost while the deployment of this job is running. */
const lostDuring = [
  { agent: "nomad", job: "workers" },
  { agent: "consul", job: "wa-shards" },
] as const satisfies readonly { agent: Agent; job: string }[];

async function leadingServer({ cluster }: Stage, agent: Agent): Promise<ClusterNode> {
  const name = await until(() => leaderOf(cluster, agent), { deadlineMs: 60_000, what: `a leader of ${agent}` });
  return cluster.layout.servers.find((server) => server.name === name)!;
}

async function isDeploying({ nomad }: Stage, job: string): Promise<boolean> {
  const deployment = await nomad<Deployment | null>("GET", `/v1/job/${job}/deployment`);
  return deployment?.Status === "running";
}

/** Milliseconds between two questions after a loss. */
const askEveryMs = 100;
/** A server that still believes in the lost leader waits for it: it is asked again. */
const askAgainMs = 1_000;

/** @throws what `ask` throws */
async function isAnswered(ask: () => Promise<unknown>): Promise<boolean> {
  let answered = false;
  const asked = ask().then(() => (answered = true));
  await withinGrace(askAgainMs, asked);
  // It may fail later.
  asked.catch(() => {});
  return answered;
}

/** Waits until what commands begin with works again: Nomad reads and writes, the scale lock, and the catalog. */
async function answerAgain(stage: Stage): Promise<void> {
  const nomad = createNomad(stage.stack.nomad_addr, { settleMs: 0 });
  const { consul } = stage;
  const variable = "lab/leaders";
  const asked: Record<string, () => Promise<unknown>> = {
    "Nomad to read and write": async () => {
      const read = await readVariable(nomad, variable);
      await writeVariable(nomad, variable, { at: `${Date.now()}` }, read);
    },
    "the scale lock": async () => {
      const onLost = () => {};
      await (await takeScaleLock({ consul, command: "chaos:cluster", deadlineMs: 1_000, onLost })).release();
    },
    "the catalog": () => consul.blockingGet("/v1/health/service/prosaas-api?passing&consistent", { index: 0 }),
  };
  await Promise.all(
    Object.entries(asked).map(([what, ask]) =>
      until(() => isAnswered(ask), { deadlineMs: 60_000, everyMs: askEveryMs, what }),
    ),
  );
}

/** Loses a leader in the middle of a deploy, which has to succeed. Returns the seconds without answers. */
async function loseLeader(stage: Stage, agent: Agent, job: string): Promise<number> {
  const leader = await leadingServer(stage, agent);
  await useServer(
    stage,
    stage.cluster.layout.servers.find((server) => server !== leader)!,
  );
  const deploy = deployInStages(stage);
  const started = until(() => isDeploying(stage, job), { deadlineMs: 300_000, what: `the deployment of ${job}` });
  const ended = deploy.then(() => {
    throw new Error(`the deploy ended before ${agent} lost its leader`);
  });
  ended.catch(() => {});
  await Promise.race([started, ended]);
  await powerOff(stage.cluster, leader);
  const began = performance.now();
  await answerAgain(stage);
  const seconds = (performance.now() - began) / 1000;
  stage.say(`${agent} lost its leader ${leader.name} while ${job} was deployed: ${seconds.toFixed(1)} s`);
  await deploy;
  await restartNode(stage.cluster, leader);
  await awaitServers(stage);
  await awaitReady(stage, `the return of ${leader.name}`);
  return seconds;
}

export const leaders: Step = {
  name: "the leaders of Nomad and Consul lose their power in the middle of a deploy",
  run: async (stage) => {
    const lost: number[] = [];
    try {
      for (const { agent, job } of lostDuring) lost.push(await loseLeader(stage, agent, job));
    } finally {
      await useServer(stage, stage.cluster.layout.servers[0]!);
    }
    return { leaders_lost: lost.length, leader_lost_s_max: rounded(Math.max(...lost), 1) };
  },
};
