import { z } from "zod";
import { sleep } from "../../../lib/core/time.ts";
import { kvGet } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { ownerKey, shardService } from "../../../lib/routing/index.ts";
import type { Allocation, Nomad } from "../../stack/nomad.ts";
import { indexOfShardVolume, listVolumes } from "../../stack/volumes.ts";
import type { CopySurvey } from "../operator/survey_copies.ts";
import { indexOf, readCount } from "../scale/job_group.ts";
import { readRelocations } from "../scale/nodes/relocation_record.ts";
import { shardGroup } from "../scale/shards_now.ts";
import type { Target } from "../scale/target.ts";
import { readAttempts } from "./attempts.ts";
import { isTakingLock } from "./rules.ts";
import type { Node, ShardState, ShardVolume } from "./rules.ts";

type Stub = { ID: string; Name: string; Status: string; SchedulingEligibility: string };
type Placed = Allocation & { NodeID: string };
type Instance = { Service: { ID: string; Address: string; Port: number } };

/** Reads the copies, which are in Postgres. */
export type ReadCopies = () => Promise<CopySurvey[]>;

const holder = z.object({ address: z.string(), port: z.int() });

/** A process that runs takes its lock within a third of the lock's 15 s (lib/consul/lock.ts); a start takes longer. */
const lockWithinMs = 20_000;

/** Reads the state of shards, after those that run have taken their locks. */
export async function readSettled(read: () => Promise<ShardState[]>): Promise<ShardState[]> {
  const end = performance.now() + lockWithinMs;
  for (;;) {
    const states = await read();
    if (!states.some(isTakingLock) || performance.now() >= end) return states;
    await sleep(500);
  }
}

/** The state of these shards; of all by default. */
export async function surveyShards(
  target: Pick<Target, "nomad" | "consul" | "agents">,
  copies: ReadCopies,
  only?: readonly number[],
): Promise<ShardState[]> {
  const { nomad, consul } = target;
  const [count, everStarted, volumes, stubs, attempts, relocations, surveyed, instances] = await Promise.all([
    readCount(target, shardGroup),
    nomad<Placed[]>("GET", `/v1/job/${shardGroup.job}/allocations?all=true`),
    listVolumes(target.agents.nomadAddr),
    nomad<Stub[]>("GET", "/v1/nodes"),
    readAttempts(consul),
    readRelocations(target),
    copies(),
    consul.blockingGet(`/v1/health/service/${shardService}`, { index: 0 }).then(({ body }) => body as Instance[]),
  ]);
  const nodes = new Map(
    await Promise.all(stubs.map(async (stub) => [stub.ID, await nodeOf({ nomad, consul }, stub)] as const)),
  );
  const started = everStarted.filter(({ TaskGroup }) => TaskGroup === shardGroup.group);
  const wanted = started.filter(({ DesiredStatus }) => DesiredStatus === "run");
  const states: ShardState[] = [];
  for (const shard of only ?? Array.from({ length: count }, (_, index) => index + 1)) {
    const allocation = latest(wanted.filter((one) => indexOf(one) === shard - 1));
    const entry = await kvGet(consul, ownerKey(shard));
    const isLocked = entry?.session != null;
    const attempt = attempts.get(shard);
    const relocation = relocations.get(shard);
    states.push({
      shard,
      count,
      allocation:
        allocation === undefined
          ? null
          : { id: allocation.ID, status: allocation.ClientStatus, node: nodes.get(allocation.NodeID) ?? null },
      isLocked,
      isOwner: isLocked && allocation !== undefined && holds(allocation, entry.value, instances),
      volumes: volumes
        .filter(({ Name }) => indexOfShardVolume(Name) === shard - 1)
        .map(({ ID, NodeID }): ShardVolume => ({ id: ID, nodeId: NodeID, node: nodes.get(NodeID) ?? null })),
      copy: surveyed.find((copy) => copy.shard === shard) ?? null,
      attempt:
        attempt === undefined
          ? null
          : {
              volumeNode: attempt.to.id,
              agoMs: Math.max(0, Date.now() - Date.parse(attempt.at)),
              owner: attempt.owner,
              wasStarted: started.some((one) => one.NodeID === attempt.to.id && indexOf(one) === shard - 1),
            },
      relocatesTo: relocation?.nodes.at(-1) ?? null,
      keptOn: relocation?.inexact ? relocation.nodes : [],
    });
  }
  return states;
}

/** Nomad may list two while it replaces one. */
const latest = (allocations: readonly Placed[]): Placed | undefined =>
  allocations.toSorted((a, b) => b.CreateIndex - a.CreateIndex)[0];

/** True if the process that the lock names is the allocation's: Nomad registers its service under its id. */
function holds({ ID, ClientStatus }: Placed, value: string, instances: readonly Instance[]): boolean {
  const { data } = holder.safeParse(parse(value));
  return (
    ClientStatus === "running" &&
    data !== undefined &&
    instances.some(
      ({ Service }) => Service.ID.includes(ID) && Service.Address === data.address && Service.Port === data.port,
    )
  );
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

type Attributes = { Attributes: Record<string, string> };
type Check = { CheckID: string; Status: string };

async function nodeOf({ nomad, consul }: { nomad: Nomad; consul: ConsulClient }, stub: Stub): Promise<Node> {
  const isEligible = stub.SchedulingEligibility === "eligible";
  const node = { id: stub.ID, name: stub.Name, status: stub.Status, isEligible };
  // Consul's view decides only about a node that Nomad has lost.
  if (stub.Status === "ready") return { ...node, isAlive: true };
  return { ...node, isAlive: await isReached({ nomad, consul }, node) };
}

/** True if the other agents of Consul reach the node's. */
export async function isReached(
  { nomad, consul }: { nomad: Nomad; consul: ConsulClient },
  node: Pick<Node, "id" | "name">,
): Promise<boolean> {
  const { Attributes: attributes } = await nomad<Attributes>("GET", `/v1/node/${node.id}`);
  const name = attributes["unique.consul.name"] ?? node.name;
  const { body } = await consul.blockingGet(`/v1/health/node/${encodeURIComponent(name)}`, { index: 0 });
  const serf = ((body ?? []) as Check[]).find(({ CheckID }) => CheckID === "serfHealth");
  return serf?.Status === "passing";
}
