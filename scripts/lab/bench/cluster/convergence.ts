import type { ConsulClient } from "../../../../lib/consul/client.ts";
import { shardService } from "../../../../lib/routing/index.ts";
import { parseInstances } from "../../../../lib/routing/directory.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { DirectorySubscribers } from "../../rig/directory_subscribers.ts";
import { shardsPerNode } from "../../rig/light_shards.ts";
import type { LightShards } from "../../rig/light_shards.ts";
import type { Server } from "../../rig/servers.ts";

/** Longest wait for one change; a slower one fails the run. */
const deadlineMs = 60_000;
/** Longest wait for the checks of all shards after a restart. */
const checksMs = 180_000;

export type Changing = {
  shards: LightShards;
  subscribers: DirectorySubscribers;
  /** Light shards that change, by number. */
  numbers: readonly number[];
};

/** A change of Consul's catalog: in turn a restart, a removal, a return, and restarts of every shard of a node. */
type Change = "restart" | "removal" | "return" | "node";
const changes: readonly Change[] = ["restart", "removal", "return", "node"];

/**
 * Makes changes, one after the other, until `over`. Returns the milliseconds of each, from Consul's acceptance until
 * every process has it.
 */
export async function timeChanges(changing: Changing, over: (made: number) => boolean): Promise<number[]> {
  const took: number[] = [];
  let removed: number | undefined;
  for (let made = 0; !over(made); made++) {
    const shard = removed ?? pick(changing.numbers);
    const change = changes[made % changes.length]!;
    took.push(await timeChange(changing, change, shard));
    removed = change === "removal" ? shard : undefined;
  }
  if (removed !== undefined) await timeChange(changing, "return", removed);
  return took;
}

const pick = (numbers: readonly number[]): number => numbers[Math.floor(Math.random() * numbers.length)]!;

/** Unix ms with fractions, as the processes report. */
const now = () => performance.timeOrigin + performance.now();

async function timeChange({ shards, subscribers, numbers }: Changing, change: Change, shard: number): Promise<number> {
  const node = (one: number) => Math.ceil(one / shardsPerNode);
  const changed = change === "node" ? numbers.filter((one) => node(one) === node(shard)) : [shard];
  subscribers.expectChange(changed);
  if (change === "removal") {
    await shards.deregister(shard);
    const accepted = now();
    return Math.max(0, (await subscribers.know(new Map([[shard, null]]), deadlineMs)) - accepted);
  }
  const urls = await Promise.all(
    changed.map(async (one): Promise<[number, string]> => [one, await shards.register(one)]),
  );
  const accepted = now();
  // A process may have it before this one has Consul's answer.
  return Math.max(0, (await subscribers.know(new Map(urls), deadlineMs)) - accepted);
}

/**
 * Restarts the Consul agent, with which all shards are registered, and changes a shard as soon as the agent answers.
 * Returns the milliseconds from Consul's acceptance until every process has the change, for each restart.
 */
export async function timeRestarts(
  changing: Changing,
  { agent, consul, restarts }: { agent: Server; consul: ConsulClient; restarts: number },
): Promise<number[]> {
  const took: number[] = [];
  for (let restart = 0; restart < restarts; restart++) {
    await agent.stop(restart % 2 === 0 ? "SIGTERM" : "SIGKILL");
    await agent.start();
    took.push(await timeChange(changing, "restart", pick(changing.numbers)));
    await until(async () => (await passing(consul)) >= changing.numbers.length, {
      deadlineMs: checksMs,
      everyMs: 100,
      what: "all checks to pass after a restart of Consul",
    });
  }
  return took;
}

/** Size of Consul's answer with all shards, which each process gets at each change, KB. */
export async function answerKb({ url }: ConsulClient): Promise<number> {
  const answer = await fetch(`${url}/v1/health/service/${shardService}?stale=1`);
  return (await answer.arrayBuffer()).byteLength / 1024;
}

async function passing(consul: ConsulClient): Promise<number> {
  const { body } = await consul.blockingGet(`/v1/health/service/${shardService}?passing=1`, { index: 0 });
  return parseInstances(body).length;
}
