import { z } from "zod";
import { bodyOf } from "../../../../lib/api-client/index.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { createDatabase, forPlatform } from "../../../../lib/db/index.ts";
import { databaseUrl } from "../../operator/database.ts";
import { surveyCopies } from "../../operator/survey_copies.ts";
import type { CopySurvey } from "../../operator/survey_copies.ts";
import { orNull } from "../../../stack/nomad.ts";
import type { Job } from "../../../stack/nomad.ts";
import { readVolumeNodes } from "../../../stack/placement.ts";
import type { VolumeNode } from "../../../stack/placement.ts";
import { listVolumes } from "../../../stack/volumes.ts";
import { indexOf, readJob } from "../job_group.ts";
import { passingShards, readAssignments, shardGroup } from "../shards_now.ts";
import type { Target } from "../target.ts";
import type { AllocationNow, ClusterNow, CopyFault, GroupNow, NodeNow, ShardNow } from "./cluster_now.ts";
import { readCordon } from "./cordon.ts";
import { readRelocations } from "./relocation_record.ts";
import type { Resources } from "./room.ts";

/* Nomad's answers, as far as they are read here. */
type NodeStub = {
  ID: string;
  Name: string;
  Status: string;
  SchedulingEligibility: string;
  Drain: boolean;
  NodePool: string;
  NodeResources?: { Cpu: { CpuShares: number }; Memory: { MemoryMB: number } } | null;
  ReservedResources?: { Cpu: { CpuShares: number }; Memory: { MemoryMB: number } } | null;
};
type AllocationStub = {
  ID: string;
  Name: string;
  JobID: string;
  JobType: string;
  TaskGroup: string;
  NodeID: string;
  DesiredStatus: string;
  ClientStatus: string;
  AllocatedResources?: {
    Tasks: Record<string, { Cpu: { CpuShares: number }; Memory: { MemoryMB: number } }>;
  } | null;
};
type JobWithNetworks = Omit<Job, "TaskGroups"> & {
  TaskGroups: (Job["TaskGroups"][number] & {
    Networks?: { ReservedPorts?: unknown[] | null }[] | null;
    Volumes?: Record<string, { Source: string; PerAlloc?: boolean }> | null;
  })[];
};

/** States in which an allocation uses its node: `unknown` is a node that is cut off. */
const isAlive = ({ ClientStatus }: AllocationStub) => ["pending", "running", "unknown"].includes(ClientStatus);

function reservedBy({ AllocatedResources }: AllocationStub): Resources {
  const tasks = Object.values(AllocatedResources?.Tasks ?? {});
  return {
    cpuMhz: tasks.reduce((sum, { Cpu }) => sum + Cpu.CpuShares, 0),
    memoryMb: tasks.reduce((sum, { Memory }) => sum + Memory.MemoryMB, 0),
  };
}

export async function readNodes({ nomad }: Pick<Target, "nomad">): Promise<NodeNow[]> {
  const [stubs, allocations] = await Promise.all([
    nomad<NodeStub[]>("GET", "/v1/nodes?resources=true"),
    nomad<AllocationStub[]>("GET", "/v1/allocations?resources=true"),
  ]);
  return stubs
    .map(({ ID, Name, Status, SchedulingEligibility, Drain, NodePool, NodeResources, ReservedResources }) => {
      const used = allocations.filter((one) => one.NodeID === ID && isAlive(one)).map(reservedBy);
      const free = (total: number | undefined, reserved: number | undefined, kind: keyof Resources) =>
        (total ?? 0) - (reserved ?? 0) - used.reduce((sum, one) => sum + one[kind], 0);
      return {
        id: ID,
        name: Name,
        pool: NodePool,
        status: Status,
        isEligible: SchedulingEligibility === "eligible",
        isDraining: Drain,
        free: {
          cpuMhz: free(NodeResources?.Cpu.CpuShares, ReservedResources?.Cpu.CpuShares, "cpuMhz"),
          memoryMb: free(NodeResources?.Memory.MemoryMB, ReservedResources?.Memory.MemoryMB, "memoryMb"),
        },
      };
    })
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Allocations that should run, of every job. */
export async function readAllocations({ nomad }: Pick<Target, "nomad">): Promise<AllocationNow[]> {
  const all = await nomad<AllocationStub[]>("GET", "/v1/allocations?resources=true");
  return all
    .filter((one) => one.DesiredStatus === "run" && isAlive(one))
    .map((one) => ({
      id: one.ID,
      job: one.JobID,
      group: one.TaskGroup,
      index: indexOf(one),
      nodeId: one.NodeID,
      status: one.ClientStatus,
      resources: reservedBy(one),
    }));
}

/** Allocations whose tasks may still run on a node, stopping ones included. */
export async function readLiveOn({ nomad }: Pick<Target, "nomad">, nodeId: string): Promise<AllocationStub[]> {
  const all = await nomad<AllocationStub[]>("GET", "/v1/allocations");
  return all.filter((one) => one.NodeID === nodeId && isAlive(one));
}

async function readGroups({ nomad }: Pick<Target, "nomad">, jobs: Iterable<string>, volumes: ReadonlySet<string>) {
  const groups: GroupNow[] = [];
  for (const id of new Set(jobs)) {
    const job = await orNull(nomad<JobWithNetworks>("GET", `/v1/job/${encodeURIComponent(id)}`));
    if (job === null) continue;
    for (const { Name, Networks, Volumes } of job.TaskGroups) {
      groups.push({
        job: id,
        group: Name,
        type: job.Type,
        pool: job.NodePool ?? "default",
        hasFixedPorts: (Networks ?? []).some(({ ReservedPorts }) => (ReservedPorts ?? []).length > 0),
        volumes: Object.values(Volumes ?? {})
          .filter(({ Source, PerAlloc }) => PerAlloc !== true && volumes.has(Source))
          .map(({ Source }) => Source),
      });
    }
  }
  return groups;
}

/** The nodes that may get a volume of a shard, and the node `also` even if it is ineligible. */
async function readShardNodes(target: Target, also: string | undefined): Promise<VolumeNode[]> {
  const { NodePool = "default" } = await readJob(target, shardGroup.job);
  try {
    return await readVolumeNodes(target.nomad, NodePool, also);
  } catch (error) {
    if (error instanceof AppError && error.code === "unavailable") return [];
    throw error;
  }
}

const shardVariable = z.object({ Items: z.object({ WA_DURABILITY: z.string().optional() }) });

/** The copies of all shards; undefined if shards have none. */
export async function readCopySurveys({
  nomad,
}: Pick<Target, "nomad">): Promise<ReadonlyMap<number, CopySurvey> | undefined> {
  const variable = await orNull(nomad("GET", `/v1/var/nomad/jobs/${shardGroup.job}`));
  const durability = variable === null ? undefined : shardVariable.parse(variable).Items.WA_DURABILITY;
  if (durability === undefined || durability === "local") return undefined;
  const db = createDatabase({ url: await databaseUrl(), poolSize: 1, applicationName: "prosaas-nodes" });
  try {
    return new Map((await surveyCopies(forPlatform(db))).map((copy) => [copy.shard, copy]));
  } finally {
    await db.close();
  }
}

/** Why the copy of each shard cannot be restored; undefined if shards have none. */
async function readCopies(target: Pick<Target, "nomad">): Promise<ReadonlyMap<number, CopyFault> | undefined> {
  const surveys = await readCopySurveys(target);
  return surveys && new Map([...surveys].map(([shard, { fault }]) => [shard, fault]));
}

async function readShards(target: Target): Promise<Map<number, ShardNow>> {
  const [{ num_shards, data }, passing] = await Promise.all([readAssignments(target), passingShards(target)]);
  return new Map(
    data
      .filter(({ shard, businesses }) => shard <= num_shards || businesses > 0)
      .map(({ shard, businesses, paired, moving }) => [
        shard,
        { businesses: businesses + moving, paired, isReachable: shard <= num_shards && passing.includes(shard) },
      ]),
  );
}

const readCalls = ({ api }: Target): Promise<number | null> =>
  bodyOf(api.GET("/v1/admin/calls")).then(
    ({ active }) => active,
    () => null,
  );

/** The state that a plan is made from. `also`: a node that counts as one for volumes even if it is ineligible. */
export async function readCluster(target: Target, also?: string): Promise<ClusterNow> {
  const [nodes, allocations, volumes, volumeNodes, shards, cordon, relocations, copies, calls] = await Promise.all([
    readNodes(target),
    readAllocations(target),
    listVolumes(target.agents.nomadAddr),
    readShardNodes(target, also),
    readShards(target),
    readCordon(target),
    readRelocations(target),
    readCopies(target),
    readCalls(target),
  ]);
  const names = new Set(volumes.map(({ Name }) => Name));
  return {
    nodes,
    allocations,
    groups: await readGroups(
      target,
      allocations.map(({ job }) => job),
      names,
    ),
    volumes: volumes.map(({ ID, Name, NodeID }) => ({ id: ID, name: Name, nodeId: NodeID })),
    volumeNodes,
    shards,
    cordon,
    relocations,
    copies,
    calls,
  };
}
