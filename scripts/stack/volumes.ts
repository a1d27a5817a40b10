import { join } from "node:path";
import { AppError } from "../../lib/core/errors.ts";
import { sleep } from "../../lib/core/time.ts";
import { root } from "./environment.ts";
import { createNomad } from "./nomad.ts";
import type { Job } from "./nomad.ts";
import { chooseNodes, readVolumeNodes } from "./placement.ts";
import type { VolumeNode } from "./placement.ts";
import { runProgram } from "./program.ts";

export type Volume = {
  ID: string;
  Name: string;
  NodeID: string;
  State?: string;
  CreateIndex?: number;
  ModifyIndex?: number;
};

/** A new volume is ready after about nine seconds, when the node has reported it. */
const READY_WITHIN_MS = 60_000;
const PENDING_WITHIN_MS = 20_000;

/** The volume of a shard, by the index of its allocation. */
export const shardVolume = (index: number): string => `wa-auth[${index}]`;

/** The index in the name of a shard's volume; null for any other volume. */
export function indexOfShardVolume(name: string): number | null {
  const index = /^wa-auth\[(\d+)\]$/.exec(name)?.[1];
  return index === undefined ? null : Number(index);
}

export const listVolumes = (nomadAddr: string): Promise<Volume[]> =>
  createNomad(nomadAddr)<Volume[]>("GET", "/v1/volumes?type=host");

/** Volumes of one kind are spread over the nodes: those of the shards, and the two copies of the database. */
export function kindOfVolume(name: string): string {
  if (indexOfShardVolume(name) !== null) return "shard";
  return /^postgres-.*data$/.test(name) ? "postgres" : name;
}

type VolumeForm = { size: string; access: string };

/** Volumes by name, with what fills nomad/volumes/volume.hcl for each. */
export type VolumeForms = ReadonlyMap<string, VolumeForm>;

/** One process owns it. */
const owned: VolumeForm = { size: "1GiB", access: "single-node-single-writer" };

/** The volumes of data services. Which of them a cluster needs, its jobs say. */
const dataVolumes: VolumeForms = new Map([
  ["postgres-data", owned],
  ["postgres-replica-data", owned],
  ["redis-data", owned],
  ["simulator-data", owned],
  // Files of messages and recordings of calls, sealed: every allocation of the API and of the workers writes here.
  ["media", { size: "10GiB", access: "single-node-multi-writer" }],
]);

/** One volume of the data services. */
export const dataVolume = (name: "media"): VolumeForms => new Map([[name, dataVolumes.get(name)!]]);

/** A login takes about a megabyte. nomad/platform/wa-shards.nomad.hcl has the reason for the access mode. */
const shardForm: VolumeForm = { size: "1GiB", access: "single-node-writer" };

export const shardVolumes = (shards: number): VolumeForms =>
  volumesOfShards(Array.from({ length: shards }, (_, index) => index));

/** The volumes of shards by the indices of their allocations. */
export const volumesOfShards = (indices: readonly number[]): VolumeForms =>
  new Map(indices.map((index) => [shardVolume(index), shardForm]));

/** The node of each volume that is missing, by the volume's name. */
export type VolumePlan = ReadonlyMap<string, Pick<VolumeNode, "id" | "name">>;

/** Chooses a node for each volume that is missing; `poolOf` names the node pool of the job that mounts it. */
export async function planVolumes(
  nomadAddr: string,
  names: Iterable<string>,
  poolOf: (name: string) => string,
): Promise<VolumePlan> {
  const nomad = createNomad(nomadAddr);
  const existing = (await listVolumes(nomadAddr)).map(({ Name, NodeID }) => ({ name: Name, nodeId: NodeID }));
  const missing = [...names].filter((name) => !existing.some((volume) => volume.name === name));
  const plan = new Map<string, VolumeNode>();
  for (const [pool, members] of Map.groupBy(missing, poolOf)) {
    const chosen = chooseNodes(members, await readVolumeNodes(nomad, pool), existing, kindOfVolume);
    for (const [name, node] of chosen) plan.set(name, node);
  }
  return plan;
}

function poolsByVolume(jobs: readonly Job[]): ReadonlyMap<string, string> {
  const pools = new Map<string, string>();
  for (const { NodePool = "default", TaskGroups } of jobs)
    for (const { Volumes } of TaskGroups)
      for (const { Source } of Object.values(Volumes ?? {})) pools.set(Source, NodePool);
  return pools;
}

/** The node pool of the job that mounts each volume, from the jobs' specifications. */
export function poolOfVolumes(jobs: readonly Job[]): (name: string) => string {
  const pools = poolsByVolume(jobs);
  return (name) => pools.get(name) ?? pools.get(name.replace(/\[\d+\]$/, "")) ?? "default";
}

/** The volumes of data services that these jobs mount. */
export function dataVolumesOf(jobs: readonly Job[]): VolumeForms {
  const pool = poolsByVolume(jobs);
  return new Map([...dataVolumes].filter(([name]) => pool.has(name)));
}

/** Waits of {@link ensureVolumes}, in milliseconds. */
export type VolumeWaits = { readyMs: number; pendingMs: number };

/**
 * Makes the planned volumes, and returns when all that `forms` names are ready: a planned one on its planned node.
 * Nomad leaves a volume "pending" whose server lost its power during its creation: it is made again where it was.
 */
export async function ensureVolumes(
  nomadAddr: string,
  forms: VolumeForms,
  plan: VolumePlan,
  { readyMs, pendingMs }: VolumeWaits = { readyMs: READY_WITHIN_MS, pendingMs: PENDING_WITHIN_MS },
): Promise<void> {
  const deadline = performance.now() + readyMs;
  const pendingSince = new Map<string, number>();
  // With the nodes of deleted volumes: while their creation fails, Nomad lists none to take the node from.
  const nodes = new Map(plan);
  const advance = async (name: string, made: readonly Volume[]): Promise<void> => {
    const [volume] = made;
    if (volume === undefined) {
      const node = nodes.get(name);
      if (node !== undefined) await createVolume(nomadAddr, name, node, forms.get(name)!);
      return;
    }
    const since = pendingSince.get(volume.ID) ?? performance.now();
    pendingSince.set(volume.ID, since);
    if (!wasNeverReady(volume) || performance.now() - since <= pendingMs) return;
    await deleteVolume(nomadAddr, volume);
    const { NodeID: id } = volume;
    const node = nodes.get(name) ?? { id, name: id.slice(0, 8) };
    nodes.set(name, node);
    await createVolume(nomadAddr, name, node, forms.get(name)!);
  };
  for (;;) {
    const all = await listVolumes(nomadAddr);
    const volumesOf = (name: string) =>
      all.filter(({ Name, NodeID }) => Name === name && NodeID === (plan.get(name)?.id ?? NodeID));
    const waiting = [...forms.keys()].filter((name) => !volumesOf(name).some(({ State }) => State === "ready"));
    if (waiting.length === 0) return;
    const outcomes = await Promise.allSettled(waiting.map((name) => advance(name, volumesOf(name))));
    const failure = outcomes.find((one) => one.status === "rejected")?.reason as Error | undefined;
    // An election ends; a missing right does not.
    const isFinal = performance.now() > deadline || (failure?.message.includes("Permission denied") ?? false);
    if (isFinal && failure !== undefined) throw failure;
    if (isFinal)
      throw new Error(
        notReady(
          waiting.map((name) => ({ name, made: volumesOf(name) })),
          readyMs,
        ),
      );
    await sleep(300);
  }
}

/** True if the volume is as its creation left it: nothing can have mounted it. */
const wasNeverReady = ({ State, CreateIndex, ModifyIndex }: Volume): boolean =>
  State === "pending" && CreateIndex === ModifyIndex;

function notReady(waiting: readonly { name: string; made: readonly Volume[] }[], waitedMs: number): string {
  const states = waiting.map(({ name, made: [volume] }) =>
    volume === undefined ? `${name} is missing` : `${name} is ${volume.State} on node ${volume.NodeID.slice(0, 8)}`,
  );
  return `Volumes are not ready after ${waitedMs / 1000} s: ${states.join(", ")}. See: nomad node status`;
}

type AllocationStub = { ID: string; Name: string; NodeID: string; ClientStatus: string; DesiredStatus: string };

/** States in which a task may run: `unknown` is a node that is cut off. */
const mayRun = new Set(["pending", "running", "unknown"]);

/** A node that returns reports its former tasks as pending until it has read that Nomad stopped them. */
const STOPPED_WITHIN_MS = 30_000;

/**
 * Deletes a volume with all that is in it. Waits for an allocation that Nomad is stopping.
 * @throws AppError if an allocation of the shard that owns the volume may run on its node
 */
export async function deleteVolume(
  nomadAddr: string,
  volume: Volume,
  { stoppedWithinMs = STOPPED_WITHIN_MS } = {},
): Promise<void> {
  const { ID, Name } = volume;
  const deadline = performance.now() + stoppedWithinMs;
  for (;;) {
    const user = await userOf(nomadAddr, volume);
    if (user === undefined) break;
    const isStopping = user.DesiredStatus === "stop" && user.ClientStatus !== "unknown";
    if (!isStopping || performance.now() > deadline) {
      throw new AppError(
        "conflict",
        `The volume ${Name} (${ID}) is kept: allocation ${user.ID} of the shard is ${user.ClientStatus} on its node.`,
      );
    }
    await sleep(300);
  }
  await runNomad(nomadAddr, ["volume", "delete", "-type=host", ID], `volume ${Name} could not be deleted`);
}

/** The allocation of the shard that owns the volume, if it may run on the volume's node. */
async function userOf(nomadAddr: string, { Name, NodeID }: Volume): Promise<AllocationStub | undefined> {
  const index = indexOfShardVolume(Name);
  if (index === null) return undefined;
  const allocations = await createNomad(nomadAddr)<AllocationStub[]>("GET", "/v1/job/wa-shards/allocations?all=true");
  return allocations.find(
    (one) => one.NodeID === NodeID && one.Name === `wa-shards.shard[${index}]` && mayRun.has(one.ClientStatus),
  );
}

async function createVolume(
  nomadAddr: string,
  name: string,
  { id, name: node }: Pick<VolumeNode, "id" | "name">,
  { size, access }: VolumeForm,
): Promise<void> {
  const template = await Bun.file(join(root, "nomad/volumes/volume.hcl")).text();
  const specification = template
    .replace('"NAME"', `"${name}"`)
    .replace('"NODE"', `"${id}"`)
    .replaceAll('"SIZE"', `"${size}"`)
    .replace('"ACCESS"', `"${access}"`);
  await runNomad(
    nomadAddr,
    ["volume", "create", "-detach", "-"],
    `volume ${name} could not be made on ${node}`,
    specification,
  );
}

async function runNomad(nomadAddr: string, args: string[], failure: string, stdin = ""): Promise<void> {
  const env = { ...process.env, NOMAD_ADDR: nomadAddr };
  const { code, stderr } = await runProgram(["nomad", ...args], { cwd: root, env, stdin });
  if (code !== 0) throw new Error(`${failure}: ${stderr.trim()}`);
}
