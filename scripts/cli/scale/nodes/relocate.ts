import { kvGet } from "../../../../lib/consul/client.ts";
import { sleep } from "../../../../lib/core/time.ts";
import { ownerKey, shardService } from "../../../../lib/routing/index.ts";
import { parseInstances } from "../../../../lib/routing/directory.ts";
import { addShardVolume, deleteVolume, indexOfShardVolume, listVolumes } from "../../../stack/volumes.ts";
import type { Volume } from "../../../stack/volumes.ts";
import { ScaleFailure } from "../failure.ts";
import { awaitDeployment } from "../job_group.ts";
import type { Deadlines } from "../job_group.ts";
import type { Report } from "../report.ts";
import { readAssignments, shardGroup } from "../shards_now.ts";
import type { Target } from "../target.ts";
import { awaitNothing } from "./await.ts";
import { cordonShards, uncordonShards } from "./cordon.ts";
import { acrossElections } from "./elections.ts";
import { setEligibility } from "./eligibility.ts";
import { faultOfDeparture } from "./plan_relocations.ts";
import type { PlannedRelocation } from "./plan_relocations.ts";
import { readAllocations, readCluster, readNodes } from "./read_cluster.ts";
import { deleteRelocation, readRelocations, writeRelocation } from "./relocation_record.ts";
import { allocationOf } from "./shards_of_node.ts";

/*
 * A shard changes its node by a new volume of its name. Nomad starts the shard wherever a volume of that name is on an
 * eligible node, so:
 *
 *   record the nodes ─▶ cordon ─▶ empty, or rely on the copy ─▶ new volume ─▶ check again ─▶ stop ─▶ it runs there and
 *   holds its owner lock ─▶ delete the former volumes ─▶ uncordon ─▶ delete the record
 *
 * Each step is skipped where the cluster shows that it was done, and an interrupted run continues at any of them.
 * Without a copy the new volume is not made before the shard is empty, so no start there loses a login.
 */

/** Nomad frees a volume when the client has reported the end of its allocation. */
const freedWithinMs = 60_000;
const pollMs = 500;

/** Records the relocations and closes the shards to other businesses. */
export async function beginRelocations(target: Target, planned: readonly PlannedRelocation[], report: Report) {
  if (planned.length === 0) return;
  const shards = planned.map(({ shard }) => shard);
  await report.step(`shard ${shards.join(", ")}: gets no other business until it has its new node`, async () => {
    const earlier = await readRelocations(target);
    for (const { shard, nodes, isDrain } of planned)
      await writeRelocation(target, shard, { nodes, held: isDrain ? undefined : earlier.get(shard)?.held });
    await cordonShards(target, shards);
  });
}

/** Makes the new volumes of shards that are empty or have a copy. Deletes those of abandoned targets. */
export async function makeVolumes(target: Target, planned: readonly PlannedRelocation[], report: Report) {
  if (planned.length === 0) return;
  const where = planned.map(({ shard, to }) => `of shard ${shard} on ${to.name}`).join(", ");
  await report.step(`the volume ${where} is ready`, async () => {
    await Promise.all(
      planned.map(async (one) => {
        const { shard, from, to, nodes } = one;
        await checkDeparture(target, one);
        await deleteVolumes(target, shard, { keep: [from, to.id], of: nodes });
        await addShardVolume(target.agents.nomadAddr, shard - 1, to);
      }),
    );
  });
}

/** Starts a shard on the node with its new volume. Idempotent. */
export async function relocateShard(
  target: Target,
  planned: PlannedRelocation,
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  const { shard, to, how } = planned;
  await awaitDeployment(target, shardGroup.job, report, deadlines);
  await checkDeparture(target, planned);
  await holdNode(target, planned);
  await report.step(
    `shard ${shard} runs on ${to.name}${how === "copy" ? ", restored from its copy" : ""} and holds its owner lock`,
    async () => {
      const now = { allocations: await readAllocations(target) };
      const before = allocationOf(now, shard);
      if (before !== undefined && before.nodeId !== to.id)
        await acrossElections(() => target.nomad("POST", `/v1/allocation/${before.id}/stop`));
      await awaitShardOn(target, shard, to, report, deadlines);
    },
  );
  await finishRelocation(target, shard, report);
}

/** Makes the former node ineligible until the shard runs elsewhere: it might start there again. */
async function holdNode(target: Target, { shard, from, nodes }: PlannedRelocation): Promise<void> {
  const node = (await readNodes(target)).find(({ id }) => id === from);
  if (node === undefined || !node.isEligible) return;
  await writeRelocation(target, shard, { nodes, held: from });
  await setEligibility(target, from, false);
}

/** The shard may have got a business, or lost its copy, since the plan. */
async function checkDeparture(target: Target, { shard, how }: PlannedRelocation): Promise<void> {
  const fault = faultOfDeparture(await readCluster(target), shard, how);
  if (fault !== undefined) throw new ScaleFailure(fault);
  if (how === "copy") return;
  const { data } = await readAssignments(target);
  const now = data.find((one) => one.shard === shard);
  if (now === undefined || now.businesses + now.moving === 0) return;
  throw new ScaleFailure(
    `Shard ${shard} has ${now.businesses} businesses again, ${now.moving} of them moving. Run the command again.`,
  );
}

/** Waits until the shard runs on the node, passes its checks there, and owns its number. */
async function awaitShardOn(
  target: Target,
  shard: number,
  node: { id: string; name: string },
  report: Report,
  { deadlineMs }: Deadlines,
): Promise<void> {
  const hint =
    `See: task logs:wa-shards. The former volume of shard ${shard} is kept; run the command again to continue, ` +
    "or task node:join on its former node to go back.";
  await awaitNothing(report, { deadlineMs, hint }, async () => {
    const now = allocationOf({ allocations: await readAllocations(target) }, shard);
    if (now === undefined) return `shard ${shard} has no allocation`;
    if (now.nodeId !== node.id || now.status !== "running")
      return `shard ${shard} is ${now.status}, not running on ${node.name} yet`;
    const services = `/v1/health/service/${shardService}?passing=1`;
    const { body } = await target.consul.blockingGet(services, { index: 0 });
    const [instance, ...others] = parseInstances(body).filter((one) => one.shard === shard);
    if (instance === undefined || others.length > 0) return `shard ${shard} does not pass its checks yet`;
    const owner = await kvGet(target.consul, ownerKey(shard));
    const { address, port } = JSON.parse(owner?.value || "{}") as { address?: string; port?: number };
    const isOwner = owner?.session != null && address === instance.address && port === instance.port;
    return isOwner ? null : `shard ${shard} does not hold its owner lock yet`;
  });
}

/** Deletes the former volumes of a shard that runs at its target, and opens it to businesses again. */
export async function finishRelocation(target: Target, shard: number, report: Report): Promise<void> {
  const record = (await readRelocations(target)).get(shard);
  if (record === undefined) return;
  await report.step(`shard ${shard}: its former volume is deleted, and it takes businesses again`, async () => {
    const kept = record.nodes.at(-1)!;
    const left = await deleteVolumes(target, shard, { keep: [kept], of: record.nodes });
    if (record.held !== undefined) await setEligibility(target, record.held, true);
    await uncordonShards(target, [shard]);
    await deleteRelocation(target, shard);
    return left.length === 0
      ? undefined
      : `shard ${shard} takes businesses again; a former volume is left, because its node is down. When it is back: ` +
          left.map(({ ID }) => `nomad volume delete -type=host ${ID}`).join("; ");
  });
}

/** Ends the relocation of a shard that stays where it runs: deletes the volumes that were made elsewhere. */
export async function cancelRelocation(target: Target, shard: number, stays: string, report: Report): Promise<void> {
  await report.step(`shard ${shard} stays and takes businesses again`, async () => {
    const record = (await readRelocations(target)).get(shard);
    await deleteVolumes(target, shard, { keep: [stays], of: record?.nodes ?? [] });
    await uncordonShards(target, [shard]);
    await deleteRelocation(target, shard);
  });
}

/** Deletes volumes of a shard on these nodes; returns those whose node is not ready. */
async function deleteVolumes(
  target: Target,
  shard: number,
  { keep, of }: { keep: readonly string[]; of: readonly string[] },
): Promise<Volume[]> {
  const all = await acrossElections(() => listVolumes(target.agents.nomadAddr));
  const former = all.filter(
    ({ Name, NodeID }) => indexOfShardVolume(Name) === shard - 1 && of.includes(NodeID) && !keep.includes(NodeID),
  );
  if (former.length === 0) return [];
  const left: Volume[] = [];
  for (const volume of former) if (!(await deleteFormer(target, volume))) left.push(volume);
  return left;
}

/** Resolves with false if the node is lost, which has the volume. */
async function deleteFormer(target: Target, volume: Volume): Promise<boolean> {
  const end = performance.now() + freedWithinMs;
  for (;;) {
    const node = (await readNodes(target)).find(({ id }) => id === volume.NodeID);
    if (node?.status !== "ready") return false;
    try {
      await deleteVolume(target.agents.nomadAddr, volume);
      return true;
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(pollMs);
    }
  }
}
