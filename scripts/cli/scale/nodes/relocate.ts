import { sleep } from "../../../../lib/core/time.ts";
import {
  deleteVolume,
  ensureVolumes,
  indexOfShardVolume,
  listVolumes,
  shardVolume,
  volumesOfShards,
} from "../../../stack/volumes.ts";
import type { Volume } from "../../../stack/volumes.ts";
import { ScaleFailure } from "../failure.ts";
import { awaitDeployment } from "../job_group.ts";
import type { Deadlines } from "../job_group.ts";
import type { Report } from "../report.ts";
import { readAssignments, shardGroup } from "../shards_now.ts";
import type { Target } from "../target.ts";
import { awaitNothing } from "./await.ts";
import { cordonShards } from "./cordon.ts";
import { acrossElections } from "../../../stack/elections.ts";
import { endRelocation } from "./end_relocation.ts";
import { setEligibility } from "./eligibility.ts";
import type { Relocation } from "./cluster_now.ts";
import { missingShard } from "./missing_shard.ts";
import { faultOfDeparture } from "./plan_relocations.ts";
import type { PlannedRelocation } from "./plan_relocations.ts";
import { readAllocations, readCluster, readCopySurveys, readNodes } from "./read_cluster.ts";
import { readRelocations, writeRelocation } from "./relocation_record.ts";
import { allocationOf } from "./shards_of_node.ts";
import { epochToProve, wasStoredAtStop } from "./target_proof.ts";

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
/** The next owner of a small shard restores in less than a second. */
const stopPollMs = 100;

/** Records the relocations and closes the shards to other businesses. */
export async function beginRelocations(target: Target, planned: readonly PlannedRelocation[], report: Report) {
  if (planned.length === 0) return;
  const shards = planned.map(({ shard }) => shard);
  await report.step(`shard ${shards.join(", ")}: gets no other business until it has its new node`, async () => {
    const earlier = await readRelocations(target);
    for (const { shard, nodes, isDrain } of planned)
      await writeRelocation(target, shard, {
        ...earlier.get(shard),
        nodes,
        ...(isDrain ? { held: undefined } : {}),
      });
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
        const isKept = (await readRelocations(target)).get(shard)?.inexact;
        await deleteVolumes(target, shard, { keep: [from, to.id], of: nodes, isKept });
      }),
    );
    await ensureVolumes(
      target.agents.nomadAddr,
      volumesOfShards(planned.map(({ shard }) => shard - 1)),
      new Map(planned.map(({ shard, to }) => [shardVolume(shard - 1), to])),
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
      await stopShard(target, planned, report, deadlines);
      await awaitRelocated(target, shard, to, report, deadlines);
    },
  );
  await finishRelocation(target, shard, report, deadlines);
}

/** Makes the former node ineligible until the shard runs elsewhere: it might start there again. */
async function holdNode(target: Target, { shard, from, nodes }: PlannedRelocation): Promise<void> {
  const node = (await readNodes(target)).find(({ id }) => id === from);
  if (node === undefined || !node.isEligible) return;
  await changeRecord(target, shard, { nodes, held: from });
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

/** Waits until the shard has taken over on its new node. */
function awaitRelocated(
  target: Target,
  shard: number,
  node: { id: string; name: string },
  report: Report,
  { deadlineMs }: Deadlines,
): Promise<void> {
  const hint =
    `See: task logs -- wa-shards. The former volume of shard ${shard} is kept; run the command again to continue, ` +
    "or start the shard from its copy (task restore).";
  return awaitNothing(report, { deadlineMs, hint }, async () =>
    missingShard(target, { shard, node, copy: (await readCopySurveys(target))?.get(shard) }),
  );
}

/**
 * Stops the shard on its former node. With a copy it also waits until the copy is known to hold the last change; the
 * record keeps the former volume if that stays open.
 */
async function stopShard(
  target: Target,
  { shard, to, how }: PlannedRelocation,
  report: Report,
  { deadlineMs }: Deadlines,
): Promise<void> {
  const before = allocationOf({ allocations: await readAllocations(target) }, shard);
  if (before === undefined || before.nodeId === to.id) return;
  const epoch = how === "copy" ? epochToProve((await readCopySurveys(target))?.get(shard)) : undefined;
  if (epoch !== undefined) await changeRecord(target, shard, { inexact: true });
  await acrossElections(() => target.nomad("POST", `/v1/allocation/${before.id}/stop`));
  if (epoch === undefined) return;
  const end = performance.now() + deadlineMs;
  let isStored: boolean | null = null;
  while (isStored === null && performance.now() < end) {
    // The stop of the shard must not depend on Postgres.
    const copy = await readCopySurveys(target).then(
      (copies) => copies?.get(shard),
      () => undefined,
    );
    isStored = copy === undefined ? null : wasStoredAtStop(epoch, copy);
    if (isStored === null) {
      report.waiting(`the copy of shard ${shard} does not have its last change yet`);
      await sleep(stopPollMs);
    }
  }
  if (isStored === true) await changeRecord(target, shard, { inexact: undefined });
}

async function changeRecord(target: Target, shard: number, change: Partial<Relocation>): Promise<void> {
  const record = (await readRelocations(target)).get(shard);
  if (record !== undefined) await writeRelocation(target, shard, { ...record, ...change });
}

/**
 * Deletes the former volumes of a shard that runs at its target, and opens it to businesses again. Waits for the proof
 * that it runs there: after an interruption the target may still start or restore.
 */
export async function finishRelocation(
  target: Target,
  shard: number,
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  const record = (await readRelocations(target)).get(shard);
  if (record === undefined) return;
  await report.step(`shard ${shard}: its former volume is deleted, and it takes businesses again`, async () => {
    const kept = record.nodes.at(-1)!;
    const name = (await readNodes(target)).find(({ id }) => id === kept)?.name ?? kept.slice(0, 8);
    await awaitRelocated(target, shard, { id: kept, name }, report, deadlines);
    const left = await deleteVolumes(target, shard, { keep: [kept], of: record.nodes, isKept: record.inexact });
    const line = await endRelocation(target, shard, kept, left);
    return record.inexact && left.length > 0 ? `${line} The last changes may be only in the former volume.` : line;
  });
}

/** Ends the relocation of a shard that stays where it runs: deletes the volumes that were made elsewhere. */
export async function cancelRelocation(target: Target, shard: number, stays: string, report: Report): Promise<void> {
  await report.step(`shard ${shard} stays and takes businesses again`, async () => {
    const record = (await readRelocations(target)).get(shard);
    const left = await deleteVolumes(target, shard, { keep: [stays], of: record?.nodes ?? [] });
    return endRelocation(target, shard, stays, left);
  });
}

/** Deletes volumes of a shard on these nodes; returns those that are left: of lost nodes, or all if they are kept. */
async function deleteVolumes(
  target: Target,
  shard: number,
  { keep, of, isKept = false }: { keep: readonly string[]; of: readonly string[]; isKept?: boolean | undefined },
): Promise<Volume[]> {
  const all = await acrossElections(() => listVolumes(target.agents.nomadAddr));
  const former = all.filter(
    ({ Name, NodeID }) => indexOfShardVolume(Name) === shard - 1 && of.includes(NodeID) && !keep.includes(NodeID),
  );
  if (isKept) return former;
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
