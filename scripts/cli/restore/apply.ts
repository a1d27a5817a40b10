import { bodyOf } from "../../../lib/api-client/index.ts";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { renewMs } from "../../../services/whatsapp/copy/lease.ts";
import { seconds } from "../../stack/progress.ts";
import { deleteVolume, ensureVolumes, listVolumes, shardVolume, volumesOfShards } from "../../stack/volumes.ts";
import type { CopySurvey } from "../operator/survey_copies.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Deadlines } from "../scale/job_group.ts";
import { awaitNothing } from "../scale/nodes/await.ts";
import { endRelocation } from "../scale/nodes/end_relocation.ts";
import { missingShard } from "../scale/nodes/missing_shard.ts";
import { readAllocations } from "../scale/nodes/read_cluster.ts";
import { readRelocations } from "../scale/nodes/relocation_record.ts";
import { allocationOf } from "../scale/nodes/shards_of_node.ts";
import type { Report } from "../scale/report.ts";
import type { Target } from "../scale/target.ts";
import { recordAttempt, recordOwner } from "./attempts.ts";
import type { RestorePlan } from "./plan.ts";
import { NodeReturned, purgeNode } from "./purge.ts";
import { blockersOf } from "./rules.ts";
import type { ShardVolume } from "./rules.ts";
import { surveyShards } from "./survey.ts";
import type { ReadCopies } from "./survey.ts";

const pollMs = 300;

/** Longer than the lock of a dead owner lasts (30 s), and than Consul takes to miss a node. */
const lostWithinMs = 60_000;

export type Options = Deadlines & {
  copies: ReadCopies;
  /** True if the operator vouches for it that the node is lost, although Consul reaches its agent. */
  isForced: boolean;
  /** True: a refused shard does not keep the command from the others. */
  skipRefused: boolean;
  /** False: done once the shards are owners, so that no key of the API is needed. */
  awaitSessions: boolean;
};

/** Sessions of a restored shard. */
export type Opened = { shard: number; node: string; sessions: number | null; sessions_open: number | null };

/** Executes a plan. Each step is skipped by the plan of the next run once it has been done. */
export async function applyRestore(
  target: Target,
  plan: RestorePlan,
  report: Report,
  options: Options,
): Promise<Opened[]> {
  for (const one of plan.spare) await deleteOne(target, one, report);
  if ([...plan.restored.map(({ state }) => state), ...plan.sharing].some(({ copy }) => copy?.leased))
    await report.step("no lost owner renews its lease", () => awaitNoRenewal(shardsToLose(plan), options));
  await makeVolumes(target, plan, report);
  if (plan.restored.length > 0) {
    try {
      await report.step("the lost owners have neither lease nor lock", () => awaitLost(target, plan, report, options));
      for (const node of plan.purged)
        await report.step(`Nomad has forgotten ${node.name}`, () => purgeNode(target, node, options.isForced));
    } catch (error) {
      if (error instanceof NodeReturned) await deleteUnused(target, plan, error.nodeId, report);
      throw error;
    }
  }
  const moved = [...plan.restored.map((one) => ({ ...one, isProven: false })), ...plan.followed];
  const opened: Opened[] = [];
  for (const { shard, to, isProven } of moved) {
    await report.step(`shard ${shard} is restored on ${to.name}`, async () => {
      if (!isProven) await awaitOwner(target, shard, to, report, options);
      await recordOwner(target.consul, shard, to.id);
    });
    await endRelocationOf(target, shard, to.id, report);
  }
  for (const { shard, to } of moved) {
    await report.step(`the sessions of shard ${shard} are open`, async () => {
      const counts = options.awaitSessions
        ? await awaitSessions(target, shard, report, options)
        : { sessions: null, sessions_open: null };
      opened.push({ shard, node: to.name, ...counts });
      if (counts.sessions !== null)
        return `${counts.sessions_open} of ${counts.sessions} sessions of shard ${shard} are open`;
      return `shard ${shard} opens its sessions`;
    });
  }
  await deleteOutdated(target, plan, report);
  return opened;
}

/** Ends what a node:drain or node:join has left of a shard that runs on this node now. */
async function endRelocationOf(target: Target, shard: number, runsOn: string, report: Report): Promise<void> {
  if (!(await readRelocations(target)).has(shard)) return;
  await report.step(`shard ${shard} takes businesses again`, async () => {
    const volumes = await listVolumes(target.agents.nomadAddr);
    const left = volumes.filter(({ Name, NodeID }) => Name === shardVolume(shard - 1) && NodeID !== runsOn);
    return endRelocation(target, shard, runsOn, left);
  });
}

const deleteOne = (
  { agents }: Target,
  { shard, volume }: { shard: number; volume: ShardVolume },
  report: Report,
): Promise<void> =>
  report.step(`deleted the outdated volume of shard ${shard} on ${volume.node!.name}`, () =>
    deleteVolume(agents.nomadAddr, { ID: volume.id, Name: shardVolume(shard - 1), NodeID: volume.nodeId }),
  );

/** Deletes the volumes of running shards that are out of date. A failure does not keep it from the others. */
async function deleteOutdated(target: Target, { outdated }: RestorePlan, report: Report): Promise<void> {
  const failures: string[] = [];
  for (const one of outdated) {
    await deleteOne(target, one, report).catch((error: unknown) => {
      failures.push(`Shard ${one.shard} keeps an outdated volume on ${one.volume.node!.name}: ${messageOf(error)}.`);
    });
  }
  const relocations = await readRelocations(target);
  for (const [shard, { runsOn }] of new Map(outdated.map((one) => [one.shard, one]))) {
    // If the shard did not get to the drain's target, the next run of node:drain ends the record.
    if (relocations.get(shard)?.nodes.at(-1) === runsOn) await endRelocationOf(target, shard, runsOn, report);
  }
  if (failures.length > 0) throw new ScaleFailure(failures.join(" "));
}

async function makeVolumes(target: Target, { restored }: RestorePlan, report: Report): Promise<void> {
  const at = new Date().toISOString();
  for (const { shard, to, state, decision } of restored) {
    const { attempt } = state;
    if (attempt?.volumeNode === to.id && attempt.owner !== to.id) continue;
    const from = decision.purge?.name ?? null;
    const record = { shard, from, to: { id: to.id, name: to.name }, at, owner: attempt?.owner ?? null };
    await recordAttempt(target.consul, record);
  }
  if (restored.length === 0) return;
  const names = restored.map(({ shard, to }) => `shard ${shard} on ${to.name}`).join(", ");
  await report.step(`the volumes of ${names} are ready`, () =>
    ensureVolumes(
      target.agents.nomadAddr,
      volumesOfShards(restored.map(({ shard }) => shard - 1)),
      new Map(restored.map(({ shard, to }) => [shardVolume(shard - 1), to])),
    ),
  );
}

/** Shards whose owners have to be lost before the purge. */
const shardsToLose = ({ restored, sharing }: RestorePlan): number[] =>
  [...restored, ...sharing].map(({ shard }) => shard);

/** Deletes the empty volumes of shards that Nomad runs on their node again: it could choose them. */
async function deleteUnused(target: Target, { restored }: RestorePlan, nodeId: string, report: Report): Promise<void> {
  const { nomadAddr } = target.agents;
  const volumes = await listVolumes(nomadAddr);
  for (const { shard, make, decision } of restored) {
    if (make === null || decision.purge?.id !== nodeId) continue;
    const made = volumes.find(({ Name, NodeID }) => Name === shardVolume(shard - 1) && NodeID === make.id);
    if (made === undefined) continue;
    await report
      .step(`deleted the new volume of shard ${shard} on ${make.name}`, () => deleteVolume(nomadAddr, made))
      .catch((error: unknown) => {
        const hint = "run the command again once the shard runs";
        report.done(`the new volume of shard ${shard} on ${make.name} is kept: ${messageOf(error)}; ${hint}`);
      });
  }
}

/** The ends of the owners' leases, as they were first seen. */
class Leases {
  readonly #ends = new Map<number, number>();

  refuseRenewed({ shard, lease_left_ms: leftMs }: CopySurvey): void {
    const end = performance.now() + leftMs;
    const first = this.#ends.get(shard) ?? end;
    this.#ends.set(shard, first);
    // Less is the time that the answers took.
    if (end < first + 1_000) return;
    throw new ScaleFailure(
      `The owner of shard ${shard} renews its lease in Postgres: it is alive, and cut off from Nomad only. ` +
        "Repair the connection of its node.",
    );
  }
}

/** Watches the leases for longer than an owner takes to renew its own, or until they have ended. */
async function awaitNoRenewal(shards: readonly number[], { copies }: Options): Promise<void> {
  const leases = new Leases();
  for (const end = performance.now() + renewMs + 1_000; performance.now() < end; await sleep(pollMs)) {
    const surveyed = (await copies()).filter(({ shard }) => shards.includes(shard));
    for (const copy of surveyed) leases.refuseRenewed(copy);
    if (surveyed.every(({ leased }) => !leased)) return;
  }
}

/**
 * Waits until no process can be the owner. The restored process would wait as well; but a purge ends the tasks of a
 * node that returns, and a live owner proves that the node is not lost.
 */
async function awaitLost(
  target: Target,
  plan: RestorePlan,
  report: Report,
  { copies, isForced }: Options,
): Promise<void> {
  const began = performance.now();
  const shards = shardsToLose(plan);
  const leases = new Leases();
  for (;;) {
    const states = await surveyShards(target, copies, shards);
    for (const { shard, allocation, copy } of states) {
      const node = allocation?.node;
      if (node?.status === "ready")
        throw new NodeReturned(node.id, `${node.name} is back, and Nomad runs shard ${shard} there: see task status.`);
      if (copy !== null) leases.refuseRenewed(copy);
    }
    const left = states.flatMap((state) => blockersOf(state, isForced));
    if (left.length === 0) return;
    const elapsed = performance.now() - began;
    if (elapsed > lostWithinMs) throw new ScaleFailure(`Gave up after ${seconds(elapsed)}: ${left.join("; ")}.`);
    report.waiting(`${seconds(elapsed)}  ${left.join("; ")}`);
    await sleep(pollMs);
  }
}

/** Waits until the shard has restored its copy on the node and owns its number there. */
function awaitOwner(
  target: Target,
  shard: number,
  node: { id: string; name: string },
  report: Report,
  { copies, deadlineMs }: Options,
): Promise<void> {
  const hint = "See task logs -- wa-shards, then run the command again.";
  return awaitNothing(report, { deadlineMs, hint }, async () => {
    const started = allocationOf({ allocations: await readAllocations(target) }, shard);
    if (started?.status === "running" && started.nodeId !== node.id)
      throw new ScaleFailure(`Nomad started shard ${shard} on another node than ${node.name}: run the command again.`);
    const copy = (await copies()).find((one) => one.shard === shard);
    if (copy === undefined) throw new ScaleFailure(`The copy of shard ${shard} was deleted: see task copies.`);
    return missingShard(target, { shard, node, copy });
  });
}

async function awaitSessions(
  { api }: Target,
  shard: number,
  report: Report,
  { deadlineMs }: Options,
): Promise<{ sessions: number; sessions_open: number }> {
  const began = performance.now();
  for (;;) {
    const { data } = await bodyOf(api.GET("/v1/admin/shards"));
    const found = data.find((one) => one.shard === shard);
    const connecting = found?.healthy ? (found.sessions_connecting ?? null) : null;
    if (connecting === 0) return { sessions: found!.sessions ?? 0, sessions_open: found!.sessions_open ?? 0 };
    const elapsed = performance.now() - began;
    const what =
      connecting === null ? `the API does not reach shard ${shard}` : `${connecting} sessions are not open yet`;
    if (elapsed > deadlineMs) throw new ScaleFailure(`Gave up after ${seconds(elapsed)}: ${what}. See task status.`);
    report.waiting(`${seconds(elapsed)}  ${what}`);
    await sleep(pollMs);
  }
}
