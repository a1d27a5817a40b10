import { until } from "../../../../lib/testing/until.ts";
import { placementFaults } from "./placement.ts";
import type { Stage } from "./stage.ts";

/** A node that is back has registered itself and its services within this time. */
export const backWithinMs = 120_000;

type Stub = { Name: string; Status: string };
type Listed = { JobID: string; TaskGroup: string; NodeName: string; ClientStatus: string; DesiredStatus: string };

/** Waits until every client is ready and every allocation has settled. */
export async function awaitReady(stage: Stage, what: string): Promise<void> {
  const { clients } = stage.cluster.layout;
  const ready = async () => {
    const nodes = await stage.nomad<Stub[]>("GET", "/v1/nodes").catch(() => []);
    return clients.every(({ name }) => nodes.some(({ Name, Status }) => Name === name && Status === "ready"));
  };
  await until(ready, { deadlineMs: backWithinMs, everyMs: 300, what });
  await until(async () => (await unsettled(stage)) === 0, {
    deadlineMs: backWithinMs,
    everyMs: 500,
    what: `${what}: allocations to settle`,
  });
}

type Autopilot = { Healthy: boolean; FailureTolerance: number };

/** Waits until all servers vote again: until then, the loss of another one would end every majority. */
export async function awaitServers(stage: Stage): Promise<void> {
  const { servers } = stage.cluster.layout;
  const tolerance = Math.floor((servers.length - 1) / 2);
  const path = "/v1/operator/autopilot/health";
  const answers = [
    () => stage.nomad<Autopilot>("GET", path),
    async () => (await stage.consul.blockingGet(path, { index: 0 })).body as Autopilot,
  ];
  for (const ask of answers)
    await until(
      async () => {
        const { Healthy, FailureTolerance } = await ask();
        return Healthy && FailureTolerance === tolerance;
      },
      { deadlineMs: backWithinMs, everyMs: 500, what: "every server to vote again" },
    );
}

/** Allocations that should run and do not, and those that run and should not. */
async function unsettled({ nomad }: Stage): Promise<number> {
  const all = await nomad<Listed[]>("GET", "/v1/allocations");
  return all.filter(
    ({ DesiredStatus, ClientStatus }) =>
      (DesiredStatus === "run" && ["pending", "unknown"].includes(ClientStatus)) ||
      (DesiredStatus !== "run" && ClientStatus === "running"),
  ).length;
}

/** Lists and logs what the placement on the platform's clients gets wrong. */
export async function faultsOfPlacement(stage: Stage): Promise<string[]> {
  const all = await stage.nomad<Listed[]>("GET", "/v1/allocations");
  const names = stage.platform.map(({ name }) => name);
  const placed = all
    .filter(({ ClientStatus, DesiredStatus }) => ClientStatus === "running" && DesiredStatus === "run")
    .filter(({ NodeName }) => names.includes(NodeName))
    .map(({ JobID, TaskGroup, NodeName }) => ({ group: `${JobID}/${TaskGroup}`, node: NodeName }));
  if (placed.length === 0) throw new Error(`nothing runs on ${names.join(", ")}`);
  const faults = placementFaults(placed, names);
  for (const fault of faults) stage.say(`uneven: ${fault}`);
  return faults;
}
