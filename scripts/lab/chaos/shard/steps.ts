import { until } from "../../../../lib/testing/until.ts";
import type { Server } from "../../rig/servers.ts";
import type { Logins } from "./logins.ts";
import { faultSteps } from "./faults.ts";
import { patienceMs } from "./patience.ts";
import type { Stage } from "./stage.ts";

export type StepContext = {
  stage: Stage;
  logins: Logins;
  /** Duration of a fault. */
  seconds: number;
  /** Duration of an outage. */
  outageS: number;
};

/** Injects one fault while messages flow. Sessions may still be down when it ends. */
export type Step = {
  name: string;
  run: (context: StepContext) => Promise<void>;
  /** True if the step is a reason for the shard to end its connections. */
  endsConnections?: boolean;
};

const kills: Step[] = [
  ...Array.from({ length: 5 }, (_, n): Step => ({
    name: `kill -9 in mid-batch (${n + 1})`,
    run: killInMidBatch,
  })),
  ...Array.from({ length: 3 }, (_, n): Step => ({
    name: `kill -9 in the middle of a set (${n + 1})`,
    run: killInASet,
  })),
  { name: "kill -9 in a pairing", run: killInAPairing },
];

const storms: Step[] = [
  { name: "disconnect storm", run: ({ stage }) => storm(stage, 10, () => 300) },
  { name: "disconnects while sessions open", run: ({ stage }) => storm(stage, 30, () => Math.random() * 300) },
];

const outages: Step[] = [
  { name: "Redis down", run: ({ stage, outageS }) => stopFor(stage.redis, outageS) },
  { name: "Postgres down", run: ({ stage, outageS }) => stopFor(stage.postgres, outageS) },
  {
    name: "Consul down, and the shard killed",
    run: ({ stage, outageS }) => stopFor(stage.consul, outageS, () => stage.shard.kill()),
  },
  { name: "the shard suspended", run: suspend },
  { name: "the worker killed", run: ({ stage }) => stage.worker.kill() },
  { name: "disk full", run: diskFull, endsConnections: true },
];

export const steps: Step[] = [...kills, ...storms, ...outages, ...faultSteps];

async function killInMidBatch({ stage: { shard, simulator } }: StepContext): Promise<void> {
  const accepted = async () => (await simulator.stats())["messages_accepted"]!;
  const before = await accepted();
  await until(async () => (await accepted()) > before + 20, {
    what: "some messages",
    everyMs: 1,
    deadlineMs: patienceMs,
  });
  await shard.kill();
  await shard.ready();
}

/** Longer than the shard may count on its lock without Consul; shorter than a silence that ends a connection. */
const suspensionS = 20;

async function suspend({ stage: { shard }, outageS }: StepContext): Promise<void> {
  shard.signal("SIGSTOP");
  await Bun.sleep(Math.min(suspensionS, outageS) * 1000);
  shard.signal("SIGCONT");
}

/** Uses kill_mid_write.ts, which is preloaded into the shard. */
async function killInASet({ stage: { shard } }: StepContext): Promise<void> {
  const { starts } = shard;
  shard.signal("SIGUSR2");
  await until(() => shard.starts > starts, { what: "the shard to die in a set", deadlineMs: patienceMs });
  await shard.ready();
}

/** Kills while the QR code is shown, and again right after the scan. */
async function killInAPairing({
  stage: { shard, simulator },
  logins: { pairingBusiness },
}: StepContext): Promise<void> {
  const { id, phone } = pairingBusiness;
  const view = () => shard.client.view(shard.location, id);
  const code = async () => {
    await shard.connect(id);
    return until(async () => (await view()).qr, { what: "a QR code", deadlineMs: patienceMs });
  };
  await code();
  await shard.kill();
  await shard.ready();
  await simulator.scan(phone, await code());
  await shard.kill();
  await until(async () => (await view()).status === "open", {
    what: "the session that was being paired to open",
    deadlineMs: patienceMs,
  });
}

async function storm({ simulator }: Stage, times: number, pauseMs: () => number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await simulator.fault({ kind: "drop" });
    await Bun.sleep(pauseMs());
  }
}

async function stopFor(
  server: Server,
  seconds: number,
  during: () => Promise<unknown> = async () => {},
): Promise<void> {
  await server.stop();
  await Bun.sleep((seconds * 1000) / 2);
  await during();
  await Bun.sleep((seconds * 1000) / 2);
  await server.start();
}

async function diskFull({ stage: { disk }, outageS }: StepContext): Promise<void> {
  await disk.fill();
  await Bun.sleep((outageS * 1000) / 2);
  disk.free();
}
