import { until } from "../../../../lib/testing/until.ts";
import type { Server } from "../../rig/servers.ts";
import type { Cast } from "./cast.ts";
import { faultOrdeals } from "./faults.ts";
import type { Stage } from "./stage.ts";

export type Scene = {
  stage: Stage;
  cast: Cast;
  /** How long what lasts for a while lasts. */
  seconds: number;
  /** How long a server is away. */
  outageS: number;
};

/**
 * One thing that goes wrong while everybody writes. Over when nothing more is done; the sessions may still be down
 * then.
 */
export type Ordeal = { name: string; undergo: (scene: Scene) => Promise<void> };

const kills: Ordeal[] = [
  ...Array.from({ length: 5 }, (_, n): Ordeal => ({
    name: `kill -9 in mid-batch (${n + 1})`,
    undergo: killInMidBatch,
  })),
  ...Array.from({ length: 3 }, (_, n): Ordeal => ({
    name: `kill -9 in the middle of a set (${n + 1})`,
    undergo: killInASet,
  })),
  { name: "kill -9 in a pairing", undergo: killInAPairing },
];

const storms: Ordeal[] = [
  { name: "disconnect storm", undergo: ({ stage }) => storm(stage, 10, () => 300) },
  { name: "disconnects while sessions open", undergo: ({ stage }) => storm(stage, 30, () => Math.random() * 300) },
];

const outages: Ordeal[] = [
  { name: "Redis away", undergo: ({ stage, outageS }) => away(stage.redis, outageS) },
  { name: "Postgres away", undergo: ({ stage, outageS }) => away(stage.postgres, outageS) },
  {
    name: "Consul away, and the shard killed meanwhile",
    undergo: ({ stage, outageS }) => away(stage.consul, outageS, () => stage.shard.kill()),
  },
  { name: "the worker killed", undergo: ({ stage }) => stage.worker.kill() },
  { name: "disk full", undergo: diskFull },
];

export const ordeals: Ordeal[] = [...kills, ...storms, ...outages, ...faultOrdeals];

async function killInMidBatch({ stage: { shard, simulator } }: Scene): Promise<void> {
  const accepted = async () => (await simulator.stats())["messages_accepted"]!;
  const before = await accepted();
  await until(async () => (await accepted()) > before + 20, { what: "some messages", everyMs: 1, deadlineMs: 60_000 });
  await shard.kill();
  await shard.ready();
}

/** The shard is started with dies_in_a_set.ts. */
async function killInASet({ stage: { shard } }: Scene): Promise<void> {
  const { starts } = shard;
  shard.signal("SIGUSR2");
  await until(() => shard.starts > starts, { what: "the shard to die in a set", deadlineMs: 60_000 });
  await shard.ready();
}

/** While the code is shown, and again when the phone has just scanned one. */
async function killInAPairing({ stage: { shard, simulator }, cast: { apprentice } }: Scene): Promise<void> {
  const { id, phone } = apprentice;
  const view = () => shard.client.view(shard.location, id);
  const code = async () => {
    await shard.client.connect(shard.location, id, { method: "qr" });
    return until(async () => (await view()).qr, { what: "a QR code", deadlineMs: 60_000 });
  };
  await code();
  await shard.kill();
  await shard.ready();
  await simulator.scan(phone, await code());
  await shard.kill();
  await until(async () => (await view()).status === "open", {
    what: "the session that was being paired to open",
    deadlineMs: 60_000,
  });
}

async function storm({ simulator }: Stage, times: number, pauseMs: () => number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await simulator.fault({ kind: "drop" });
    await Bun.sleep(pauseMs());
  }
}

async function away(
  server: Server,
  seconds: number,
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<void> {
  await server.stop();
  await Bun.sleep((seconds * 1000) / 2);
  await meanwhile();
  await Bun.sleep((seconds * 1000) / 2);
  await server.start();
}

async function diskFull({ stage: { disk }, outageS }: Scene): Promise<void> {
  await disk.fill();
  await Bun.sleep((outageS * 1000) / 2);
  disk.free();
}
